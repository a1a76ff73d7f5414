"""Tuners of peft that turn or reflect what a weight computes."""

from functools import cache

from pydantic import Field, PositiveFloat

from mtpeft.methods.base import TargetModule
from mtpeft.methods.peft.low_rank import beside
from mtpeft.methods.peft.tuner import Options, SizedByLayer, Widths, method_by_layer


def doublings(width: int) -> int:
    """Return how often a width can be halved."""
    return (width & -width).bit_length() - 1


def _blocks(module: str, widths: Widths, options: Options) -> TargetModule:
    """Count blocks of 2, 4, 8, … inputs, each with a rotation of its own: the half above the diagonal."""
    inputs = widths.inputs
    prices = tuple(inputs * (2**size - 1) // 2 for size in range(1, doublings(inputs) + 1))
    return TargetModule.with_costs(module, prices)


@cache
def _subspaces(most: int) -> tuple[int, ...]:
    """Count a rotation of the principal subspace of each rank from 1 on, and two lengths for each direction."""
    return tuple(rank * (rank - 1) // 2 + 2 * rank for rank in range(1, most + 1))


ROTATIONS = (
    SizedByLayer(
        name="OFT",
        paper="Qiu et al. 2023, Controlling Text-to-Image Diffusion by Orthogonal Finetuning (arXiv 2306.07280).",
        size_name="doublings of the block",
        where="before each linear layer",
        keys={"r": 0},
        target=_blocks,
        keys_at=lambda size, x, options: {"oft_block_size": 2**size},
    ),
    SizedByLayer(
        name="HRA",
        paper="Yuan et al. 2024, Bridging The Gap between Low-rank and Orthogonal Adaptation via Householder "
        "Reflection Adaptation (arXiv 2405.17484).",
        size_name="pairs of reflections",  # a pair undoes itself at the start
        where="before each linear layer",
        target=lambda module, x, options: beside(module, per_size=2 * x.inputs, max_size=x.inputs // 2),
        keys_at=lambda size, x, options: {"r": 2 * size},
        starts_as_base=False,
    ),
    SizedByLayer(
        name="PSOFT",
        paper="Wu et al. 2025, Efficient Orthogonal Fine-Tuning with Principal Subspace Adaptation (arXiv 2505.11235).",
        size_name="rank",
        options={"scaling": (PositiveFloat, Field(default=1.0, description="Factor on the update."))},
        target=lambda module, x, options: TargetModule.with_costs(module, _subspaces(min(x))),
        keys_at=lambda size, x, options: {"r": size, "psoft_alpha": options.scaling * size},
        more={"decays": {"vector_": False, "psoft_R": True}},
    ),
)
METHODS = tuple(map(method_by_layer, ROTATIONS))
