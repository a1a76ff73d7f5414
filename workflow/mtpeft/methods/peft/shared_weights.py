"""Tuners of peft whose linear layers share weights, so that one size holds for all of them."""

import math
from collections.abc import Sequence

from pydantic import Field, PositiveFloat, PositiveInt

from mtpeft.methods.base import TargetModule
from mtpeft.methods.peft.tuner import ALL_LINEARS, Keys, Options, SizedAsOne, Widths, method_as_one
from mtpeft.models.architecture import ModelShape

RANDOM_BASES = {"save_projection": False}
"""Random matrices are made again from their seed instead of being stored."""
COVERED = 24
"""Entries that stand for each trained number of UniLoRA; so many draws miss one of a billion."""
LONGEST_VECTOR = 256


def _rank(step: int, linears: Sequence[Widths]) -> TargetModule:
    return TargetModule(module=ALL_LINEARS, base=0, per_size=step * len(linears), max_size=max(map(max, linears)))


def _bases(linears: Sequence[Widths], options: Options) -> TargetModule:
    """Count the full rank in so many pieces: a scale for each piece and input, and for each piece and rank."""
    ranks = [_piece(pieces, linears) for pieces in range(1, _shorter(linears) + 1)]
    known = {rank: sum(_pieces(min(x), rank) * (min(x) + rank) for x in linears) for rank in set(ranks)}
    return TargetModule.with_costs(ALL_LINEARS, tuple(known[rank] for rank in ranks), min_size=1)


def _shorter(linears: Sequence[Widths]) -> int:
    return max(map(min, linears))


def _piece(pieces: int, linears: Sequence[Widths]) -> int:
    """Return the rank of a piece, where the full rank is cut into at most so many."""
    return -(-_shorter(linears) // pieces)


def _pieces(width: int, rank: int) -> int:
    return -(-width // rank)


def vector_length(linears: Sequence[Widths]) -> int:
    """Return the longest vector of VB-LoRA that all widths are multiples of."""
    return math.gcd(LONGEST_VECTOR, *(width for widths in linears for width in widths))


def _bank(linears: Sequence[Widths], options: Options) -> TargetModule:
    """Count vectors, and for each piece of each low-rank matrix a score of each vector."""
    length = vector_length(linears)
    scores = options.rank * sum(map(sum, linears)) // length
    return TargetModule(module=ALL_LINEARS, base=0, per_size=length + scores, max_size=4096, min_size=options.topk)


def _unit(linears: Sequence[Widths]) -> int:
    return math.gcd(*(x.inputs for x in linears))


def _rotations(linears: Sequence[Widths], options: Options) -> TargetModule:
    unit = _unit(linears)
    return TargetModule(
        module=ALL_LINEARS,
        base=0,
        per_size=sum((x.inputs // unit) ** 2 for x in linears),
        max_size=max(1, unit * (unit - 1)),
    )


def _alike(shape: ModelShape) -> bool:
    """Return whether layers that play the same part have as many inputs everywhere, on both sides."""
    inputs: dict[tuple[str, ...], set[int]] = {}
    for linear in shape.linears:
        part = tuple(name for name in linear.module.split(".")[-2:] if not name.isdigit())
        inputs.setdefault(part, set()).add(linear.inputs)
    return all(len(widths) == 1 for widths in inputs.values())


def _share(size: int, linears: Sequence[Widths], options: Options) -> Keys:
    """Ask for a little more than the entries, since peft rounds their number down."""
    return {"sparse_rate": min(1.0, (size + 1e-6) / _unit(linears) ** 2)}


SHARED = (
    SizedAsOne(
        name="VERA",
        paper="Kopiczko et al. 2023, VeRA: Vector-based Random Matrix Adaptation (arXiv 2310.11454).",
        size_name="rank",
        keys=RANDOM_BASES,
        shared=lambda linears, options: _rank(1, linears),
        fixed_cost=lambda widths: widths.outputs,
        keys_at=lambda size, linears, options: {"r": size},
    ),
    SizedAsOne(
        name="PVERA",
        paper="Fillioux et al. 2025, PVeRA: Probabilistic Vector-Based Random Matrix Adaptation (arXiv 2512.07703).",
        size_name="rank",
        keys=RANDOM_BASES,
        shared=lambda linears, options: _rank(2, linears),
        fixed_cost=lambda widths: widths.outputs,
        keys_at=lambda size, linears, options: {"r": size},
    ),
    SizedAsOne(
        name="RANDLORA",
        paper="Albert et al. 2025, RandLoRA: Full-rank parameter-efficient fine-tuning of large models "
        "(arXiv 2502.00987).",
        size_name="pieces of the full rank",
        options={"scaling": (PositiveFloat, Field(default=20.0, description="Factor on the update: alpha over rank."))},
        keys=RANDOM_BASES,
        shared=_bases,
        keys_at=lambda size, linears, options: {
            "r": _piece(size, linears),
            "randlora_alpha": options.scaling * _piece(size, linears),
        },
        more={"decays": {"randlora_": False}},
    ),
    SizedAsOne(
        name="UNILORA",
        paper="Li et al. 2025, Uni-LoRA: One Vector is All You Need (arXiv 2506.00799).",
        size_name="entries of the vector",
        options={"rank": (PositiveInt, Field(default=4, description="Of the matrices that the vector stands for."))},
        shared=lambda linears, options: TargetModule(
            module=ALL_LINEARS, base=0, per_size=1, max_size=options.rank * sum(map(sum, linears)) // COVERED
        ),
        keys_at=lambda size, linears, options: {"theta_d_length": size, "r": options.rank},
        more={"decays": {"unilora_theta": True}},
        starts_as_base=False,
    ),
    SizedAsOne(
        name="VBLORA",
        paper="Li et al. 2024, VB-LoRA: Extreme Parameter Efficient Fine-Tuning with Vector Banks (arXiv 2405.15179).",
        size_name="vectors",
        options={
            "rank": (PositiveInt, Field(default=4, description="Of the matrices that are put together of vectors.")),
            "topk": (PositiveInt, Field(default=2, description="Vectors that each piece of them is a mixture of.")),
        },
        shared=_bank,
        keys_at=lambda size, linears, options: {
            "num_vectors": size,
            "vector_length": vector_length(linears),
            "r": options.rank,
            "topk": options.topk,
        },
        starts_as_base=False,
    ),
    SizedAsOne(
        name="FROD",
        paper="FRoD: Full-Rank Efficient Fine-Tuning with Rotational Degrees (AAAI 2026).",
        size_name="rotations",  # per square of the width that all widths are multiples of
        keys={**RANDOM_BASES, "progressbar": False},
        shared=_rotations,
        fixed_cost=lambda widths: widths.inputs,
        keys_at=_share,
        more={"decays": {"frod_lambda_s": True}},
        fits=_alike,
        starts_as_base=False,
    ),
)
METHODS = tuple(map(method_as_one, SHARED))
