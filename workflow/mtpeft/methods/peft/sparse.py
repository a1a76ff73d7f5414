"""Tuners of peft that train some entries of a weight, or of its spectrum."""

import math

from pydantic import Field, NonNegativeInt, PositiveFloat

from mtpeft.methods.base import TargetModule
from mtpeft.methods.peft.low_rank import beside
from mtpeft.methods.peft.rotations import doublings
from mtpeft.methods.peft.tuner import Keys, Options, SizedByLayer, Widths, method_by_layer

SEED = 0
"""Of the entries that are chosen by chance."""


def _factor(default: float) -> dict[str, tuple[type, object]]:
    return {"scaling": (PositiveFloat, Field(default=default, description="Factor on the update."))}


def _entries(module: str, widths: Widths, options: Options) -> TargetModule:
    return beside(module, per_size=1, max_size=widths.inputs * widths.outputs)


def _circulants(module: str, widths: Widths, options: Options) -> TargetModule:
    """Count blocks whose rows are one row turned: as large as they may be, then halves, quarters, …"""
    blocks = (_largest_block(widths) >> halvings for halvings in range(_largest_block(widths).bit_length()))
    return TargetModule.with_costs(module, tuple(widths.inputs * widths.outputs // block for block in blocks))


def _largest_block(widths: Widths) -> int:
    return 2 ** doublings(math.gcd(*widths))


def _sparse_and_low_rank(module: str, widths: Widths, options: Options) -> TargetModule:
    return beside(module, base=options.rank * sum(widths), per_size=1, max_size=widths.inputs * widths.outputs)


def _sparsity(size: int, widths: Widths, options: Options) -> Keys:
    """Ask for half an entry more, since peft rounds the number of entries down."""
    low_rank = {"r": options.rank, "lora_alpha": options.scaling * options.rank} if options.rank else {}
    return {"sparsity": max(0.0, 1 - (size + 0.5) / (widths.inputs * widths.outputs)), **low_rank}


SPARSE = (
    SizedByLayer(
        name="SHIRA",
        paper="Bhardwaj et al. 2024, Sparse High Rank Adapters (arXiv 2406.13175).",
        size_name="rank of a LoRA as large",
        keys={"random_seed": SEED},
        target=lambda module, x, options: beside(module, per_size=sum(x), max_size=x.inputs * x.outputs // sum(x)),
        keys_at=lambda size, x, options: {"r": size},
        stored_beside=lambda size, x, options: 2 * size * sum(x),
        more={"decays": {"shira_weight": True}},
    ),
    SizedByLayer(
        name="SUPERTUNING",
        paper="Ilin et al. 2026, Super-Tuning: From Activation-Aware Pruning to Sparse Fine-Tuning (arXiv 2607.09287).",
        size_name="entries",
        options={
            "rank": (NonNegativeInt, Field(default=0, description="Of the low-rank update beside the entries.")),
            "scaling": (PositiveFloat, Field(default=2.0, description="Factor on that update: alpha over the rank.")),
        },
        keys={"save_precomputed_indices": False},
        target=_sparse_and_low_rank,
        keys_at=_sparsity,
        more={"decays": {"supertuning_values": True}},
    ),
    SizedByLayer(
        name="FOURIERFT",
        paper="Gao et al. 2024, Parameter-Efficient Fine-Tuning with Discrete Fourier Transform (arXiv 2405.03003).",
        size_name="frequencies",
        options=_factor(150.0),
        keys={"init_weights": True, "random_loc_seed": SEED},
        target=_entries,
        keys_at=lambda size, x, options: {"n_frequency": size, "scaling": options.scaling},
        patterns={"n_frequency": "n_frequency_pattern"},
        more={"decays": {"fourierft_spectrum": True}},
    ),
    SizedByLayer(
        name="WAVEFT",
        paper="Bilican et al. 2025, Exploring Sparsity for Parameter Efficient Fine Tuning Using Wavelets "
        "(arXiv 2505.12532).",
        size_name="wavelets",
        options=_factor(25.0),
        keys={"random_loc_seed": SEED},
        target=_entries,
        keys_at=lambda size, x, options: {"n_frequency": size, "scaling": options.scaling},
        patterns={"n_frequency": "n_frequency_pattern"},
        more={"decays": {"waveft_spectrum": True}},
    ),
    SizedByLayer(
        name="C3A",
        paper="Chen et al. 2024, Parameter-Efficient Fine-Tuning via Circular Convolution (arXiv 2407.19342).",
        size_name="steps to smaller blocks",
        keys={"init_weights": True},
        target=_circulants,
        keys_at=lambda size, x, options: {"block_size": _largest_block(x) >> size - 1},
        patterns={"block_size": "block_size_pattern"},
    ),
)
METHODS = tuple(map(method_by_layer, SPARSE))
