"""Registries: entries are found in the modules of a package, in its folders, and in files from outside."""

import subprocess
import sys
from pathlib import Path

import pytest

from mtpeft.core.errors import UserError
from mtpeft.core.registry import bring_in
from mtpeft.metrics.base import METRICS, in_order
from support.sweep import ROOT

ENTRY = """
from mtpeft.metrics.base import Metric

OWN = Metric(name="{name}", title="own", margin=1.0, corpus_score=lambda sums: sums[..., 0])
"""


def write(folder: Path, stem: str, text: str) -> str:
    file = folder / f"{stem}.py"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_entries_of_modules_and_of_folders_are_found_by_their_names() -> None:
    assert list(METRICS) == ["bleu", "chrf", "comet", "ter"]
    assert in_order(METRICS) == ["chrf", "bleu", "ter", "comet"]


def test_a_file_from_outside_is_brought_in_once_and_known_as_such(tmp_path: Path) -> None:
    file = write(tmp_path, "own_metric", ENTRY.format(name="own"))

    for _ in range(2):
        bring_in(file)

    assert METRICS["own"].module == file
    METRICS.forget_outside()
    assert "own" not in METRICS


@pytest.mark.parametrize(
    ("stem", "text", "said"),
    [
        ("nothing_there", "X = 1\n", "which holds nothing to add"),
        ("broken_module", "import no_such_package\n", "which can't be imported (No module named 'no_such_package')"),
        ("ends_module", "raise SystemExit\n", "which ends the process when it is imported"),
        ("taken_name", ENTRY.format(name="chrf"), "whose metric 'chrf' is there already; rename it."),
    ],
)
def test_a_file_that_adds_nothing_is_refused_with_its_name(stem: str, text: str, said: str, tmp_path: Path) -> None:
    file = write(tmp_path, stem, text)

    with pytest.raises(UserError) as refused:
        bring_in(file)

    assert str(refused.value).startswith(f"'modules' names '{file}'")
    assert said in str(refused.value)


def test_a_path_that_is_no_python_file_is_refused() -> None:
    with pytest.raises(UserError, match=r"'modules' names 'metric\.txt', which is no Python file"):
        bring_in("metric.txt")


def test_a_configuration_is_read_without_what_its_metrics_and_claims_compute_with() -> None:
    code = "import sys; from mtpeft.config.load import load; load(); print(sorted(HEAVY & set(sys.modules)))"
    heavy = "HEAVY = {'numpy', 'scipy', 'sacrebleu', 'pandas', 'matplotlib', 'torch', 'transformers'}"
    done = subprocess.run(
        [sys.executable, "-c", f"{heavy}; {code}"],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
