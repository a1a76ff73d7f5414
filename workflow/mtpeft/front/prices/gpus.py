"""What work would cost on named GPUs: by the peaks of their data sheets, and by assumptions that the plan states.

None of these figures was measured. Peaks are those of dense matrices: the H100 SXM5 80 GB and the A100 SXM4 80 GB by
NVIDIA's data sheets of the two, the L4 by its own, which states its peaks for sparse matrices, twice as high.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mtpeft.front.prices.work import FLOAT32, Work
from mtpeft.models.operations import FLOAT_BYTES, ModelSizes, step_weights

TF32, BF16 = "tf32", "bf16"
PRECISIONS = (FLOAT32, TF32, BF16)
SHARES = {FLOAT32: 0.7, TF32: 0.4, BF16: 0.35}
"""Shares of the peaks that matrices of a batch are assumed to reach: the faster they are, the longer the rest takes."""
LAYER_SECONDS = 0.001
"""Time that a layer is assumed to take at the least, forward or backward, since its kernels are launched one by one."""
PASSES = 2
"""Times that an update passes a layer: forward and backward."""


@dataclass(frozen=True)
class Gpu:
    """A GPU by its data sheet.

    Attributes:
        name: of the GPU.
        peaks: operations in a second by precision.
        gigabytes: of its memory.
        bandwidth: bytes that it reads from its memory in a second.
    """

    name: str
    peaks: Mapping[str, float]
    gigabytes: int
    bandwidth: float


GPUS = (
    Gpu("H100", {FLOAT32: 67e12, TF32: 494.5e12, BF16: 989e12}, 80, 3.35e12),
    Gpu("A100", {FLOAT32: 19.5e12, TF32: 156e12, BF16: 312e12}, 80, 2.039e12),
    Gpu("L4", {FLOAT32: 30.3e12, TF32: 60e12, BF16: 121e12}, 24, 0.3e12),
)


@dataclass(frozen=True)
class ComputedIn:
    """Floats in which matrices are multiplied."""

    training: str
    decoding: str


def seconds_on(gpu: Gpu, work: Work, model: ModelSizes, precisions: ComputedIn) -> float:
    """Return the time that work takes on one GPU, which it has for itself.

    An update takes as long as its operations, or as the launches of its kernels; a step of decoding as long as these,
    or as reading its weights.
    """
    updating = work.training / _rate(gpu, precisions.training)
    training = max(updating, work.updates * sum(model.layers) * PASSES * LAYER_SECONDS)
    floats = FLOAT_BYTES // 2 if precisions.decoding == BF16 else FLOAT_BYTES
    read = work.steps * floats * step_weights(model) / gpu.bandwidth
    searching = work.decoding / _rate(gpu, precisions.decoding)
    return training + max(searching, read, work.steps * model.layers[1] * LAYER_SECONDS)


def _rate(gpu: Gpu, precision: str) -> float:
    """Return the operations in a second that are assumed."""
    return SHARES[precision] * gpu.peaks[precision]


def assumptions() -> str:
    """Say what the hours on GPUs rest on."""
    return (
        "Hours on GPUs are computed, not measured: by the peaks of data sheets, of which matrices are assumed to reach "
        f"{', '.join(f'{share:.0%} in {name}' for name, share in SHARES.items())}, and at the least "
        f"{LAYER_SECONDS * 1000:g} ms for each layer, forward and backward."
    )
