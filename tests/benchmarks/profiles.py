"""Where the time of an update goes, by the profiler of torch, and which share of the peak an update reaches."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import ours
from benchmarks.cases import Case
from benchmarks.measure import Lap, Measurement, timed
from mtpeft.core.text_tables import table
from mtpeft.models.load import device_here

KINDS: Mapping[str, tuple[str, ...]] = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::linear"),
    "attention": ("aten::_scaled_dot_product", "aten::_flash_attention", "aten::_efficient_attention"),
    "softmax": ("aten::_softmax", "aten::softmax", "aten::_log_softmax", "aten::log_softmax"),
    "layer norms": ("aten::native_layer_norm", "aten::layer_norm"),
    "embeddings": ("aten::embedding", "aten::index_select", "aten::index_put", "aten::_index_put"),
    "copies": ("aten::copy_", "aten::cat", "aten::stack", "aten::clone", "aten::contiguous", "aten::_to_copy"),
    "clipping and optimiser": ("aten::_foreach", "aten::_fused_adam", "aten::linalg_vector_norm", "Optimizer"),
}
"""Beginnings of the names of torch's operators, by what they are for."""
OTHERS, OUTSIDE = "other operators", "Python and dispatch, outside of operators"
GPU_IDLE = "GPU waits for the next kernel"
SIZES = {"cpu": 2048, "cuda": 8192}
"""Rows of the square matrices whose product shows the peak."""
PRODUCTS = 5
"""Products of which the fastest counts."""


def profiled(case: Case, first: int, last: int) -> Measurement:
    """Train a case under the profiler; `more` has the share of each kind in the time of the updates."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device_here().type == "cuda" else [])]
    profiler = profile(activities=activities)
    found = ours.train(case, Lap(first, last, begin=profiler.start, end=profiler.stop))
    return replace(found, more=shares(profiler, found))


def shares(profiler: Any, found: Measurement) -> dict[str, float]:
    """Return the share of each kind in the duration of a lap: of operators, or on a GPU of its kernels."""
    times = dict.fromkeys((*KINDS, OTHERS), 0.0)
    for event in profiler.key_averages():
        microseconds = event.self_device_time_total if found.on_gpu else event.self_cpu_time_total
        times[kind_of(event.key)] += microseconds / 1e6
    rest = max(0.0, found.wall - sum(times.values()))
    return {kind: spent / found.wall for kind, spent in {**times, GPU_IDLE if found.on_gpu else OUTSIDE: rest}.items()}


def kind_of(operator: str) -> str:
    """Return what an operator is for, by its name."""
    return next((kind for kind, names in KINDS.items() if operator.startswith(names)), OTHERS)


def operations(case: Case, first: int, last: int) -> Measurement:
    """Count the floating-point operations of updates; `amount` is their number for each token that is no padding."""
    counter = FlopCounterMode(display=False)
    lap = Lap(first, last, begin=counter.__enter__, end=lambda: counter.__exit__(None, None, None))
    found = ours.train(case, lap)
    useful = counter.get_total_flops() * (1 - found.more["padding"])
    return replace(found, amount=useful / found.amount)


def peak_of_products(half: bool) -> Measurement:
    """Measure how many operations a second the product of two large matrices reaches; `half` for bfloat16."""
    device = device_here()
    torch.set_num_threads(1)
    size, kind = SIZES[device.type], torch.bfloat16 if half else torch.float32
    left, right = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))

    def product() -> tuple[float, Mapping[str, Any]]:
        torch.matmul(left, right)
        return 2 * size**3, {}

    best = min((timed(product) for _ in range(PRODUCTS)), key=lambda found: found.seconds)
    return replace(best, amount=best.amount / best.seconds)


def profile_table(found: Mapping[str, Measurement]) -> str:
    """Write the share of each kind of work, a column for each case."""
    kinds = list(next(iter(found.values())).more)
    rows = [[kind, *(f"{one.more[kind]:.0%}" for one in found.values())] for kind in kinds]
    return table(("share of an update", *found), rows)
