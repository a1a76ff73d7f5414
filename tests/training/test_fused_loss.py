"""The fused kernel for the loss of large vocabularies, interpreted where there is no GPU."""

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from mtpeft.training.fused_loss import PACKAGE, is_fused, loss_packages
from support.fused_loss import KEPT_BELOW
from support.method import FAMILIES

TESTS = Path(__file__).parents[1]
CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_it_has_the_loss_and_the_gradient_of_our_chunks(tmp_path: Path) -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-m", "support.fused_loss", str(tmp_path)]

    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    compared = [line.split() for line in ran.stdout.splitlines()]
    assert [line[:2] for line in compared] == [
        [family, method] for family in FAMILIES if family != KEPT_BELOW for method in ("full", "lora")
    ]
    assert all(int(uses) > 0 for *_, uses in compared)


def test_it_is_used_on_gpus_and_for_plain_output_projections_alone() -> None:
    plain, changed = nn.Linear(2, 3), nn.Sequential(nn.Linear(2, 3))

    assert [is_fused(plain, GPU), is_fused(changed, GPU), is_fused(plain, CPU)] == [True, False, False]
    assert (loss_packages(GPU), loss_packages(CPU)) == ((PACKAGE,), ())
