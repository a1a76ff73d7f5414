"""What large models need of a GPU's memory, counted before there is one: the table of gpus.md."""

import re
from pathlib import Path

import pytest

from mtpeft.front.prices.work import trained_by
from mtpeft.models.families import read_shape
from mtpeft.models.memory import training_memory
from mtpeft.models.operations import BatchSize, model_sizes
from support.memory import GIGABYTE, m2m100, update_memory

PAGE = Path(__file__).parents[2] / "workflow/docs/gpus.md"
GPU_GIGABYTES = 80
ROWS, LENGTH = 64, 64
MODELS = {
    "M2M-100 1.2B, full": (m2m100(1024, 128_112), {"method": "full"}, None),
    "NLLB-200 3.3B, LoRA on 1 %": (m2m100(2048, 256_206), {"method": "lora", "scaling": 2.0}, 0.01),
}


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_an_update_of_a_large_model_fits_into_a_gpu(model: str, checkpointing: bool) -> None:
    config, method, share = MODELS[model]
    memory = update_memory(config, method, share, rows=ROWS, length=LENGTH, checkpointing=checkpointing)
    shape = read_shape(config)
    batch = BatchSize(ROWS, LENGTH, LENGTH, ROWS * LENGTH)
    part = trained_by(method, shape, share).part
    closed = training_memory(model_sizes(shape), batch, part, checkpointing=checkpointing) / GIGABYTE
    assert 0.99 < closed / memory.total < 1.06
    assert memory.total < GPU_GIGABYTES
    parts = (memory.weights, memory.gradient_and_moments, memory.activations, memory.logits, memory.total)
    cells = " | ".join(f"{gigabytes:.1f}" for gigabytes in parts)
    row = f"| {model} | {'yes' if checkpointing else 'no'} | {cells} |"
    assert re.search(re.escape(row), PAGE.read_text(encoding="utf-8")), f"the page lacks {row}"
