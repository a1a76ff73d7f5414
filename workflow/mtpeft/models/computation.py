"""The floats in which matrices are multiplied: 32-bit floats, TF32 or bfloat16. Weights stay 32-bit floats.

TF32 is a mode of NVIDIA's GPUs since Ampere: factors are rounded to 10 bits of mantissa, sums stay 32-bit floats.
bfloat16 is computed by autocast (Micikevicius et al. 2018, arXiv 1710.03740, with the format of Kalamkar et al. 2019,
arXiv 1905.12322): matrix products take bfloat16, while norms, softmax and losses stay 32-bit floats.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mtpeft.core.options import ComputingPrecision
from mtpeft.core.warnings import warn

TF32_CAPABILITY = 8
"""Compute capability of Ampere, whose GPUs are the first with TF32 and with bfloat16."""
CPU_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "sve_bf16", "bf16")
"""Torch's names of the instructions of processors that multiply bfloat16; one of them is enough."""


@contextmanager
def tf32_where_chosen(precision: ComputingPrecision) -> Iterator[None]:
    """Have GPUs multiply 32-bit floats in TF32 while this is open, if that is the precision; covers gradients too."""
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    if precision == "tf32":
        matmul.fp32_precision = "tf32"
    try:
        yield
    finally:
        matmul.fp32_precision = before


def autocast(precision: ComputingPrecision, device: torch.device) -> torch.autocast:
    """Return the context of a forward pass; its gradient is computed outside, in the types of the forward pass."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


@contextmanager
def inference_in(precision: ComputingPrecision, device: torch.device) -> Iterator[None]:
    """Compute in a precision while this is open, where no gradient is needed."""
    with tf32_where_chosen(precision), autocast(precision, device):
        yield


def warn_of_slow_precision(key: str, precision: ComputingPrecision, device: torch.device) -> None:
    """Warn of a precision that this device has no instructions for, so that it saves nothing.

    Args:
        key: of the configuration, such as `training.precision`.
        precision: that is asked for.
        device: where it is computed.
    """
    if precision == "float32" or _has_instructions(precision, device):
        return
    effect = "32-bit floats are computed instead" if precision == "tf32" else "it is slower than 'float32'"
    warn([f"'{key}' is '{precision}', for which this machine's {device.type} has no instructions; {effect}."])


def _has_instructions(precision: ComputingPrecision, device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= TF32_CAPABILITY
    capabilities = torch.cpu.get_capabilities()
    return precision == "bf16" and any(capabilities.get(name, False) for name in CPU_INSTRUCTIONS)
