"""Trained keys and values before those of attention (prefix tuning, Li & Liang 2021, arXiv 2101.00190).

The prefix is trained as it is, or as the paper has it through a feed-forward network that is thrown away afterwards.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtpeft.core.section import later
from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.methods.new_entries import new_entry_parameters
from mtpeft.models.architecture import ModelShape, is_cross, side_of

if TYPE_CHECKING:
    from torch import nn

Attention = Literal["encoder", "decoder", "cross"]
ATTENTIONS: tuple[Attention, ...] = ("encoder", "decoder", "cross")
LONGEST = 4
"""Length of the longest prefix, in multiples of the longest sequence."""


class PrefixOptions(TrainedMethodOptions):
    """`method: prefix`."""

    method: Literal["prefix"]
    attentions: list[Attention] = later(
        list(ATTENTIONS),
        compared=set,
        min_length=1,
        description="Attention that gets a prefix: self-attention of either side, and cross-attention.",
    )
    network: PositiveInt | None = later(
        None,
        description="Width of the network through which the prefix is trained; it counts, and is not stored. "
        "Empty: none.",
    )


def prefix_targets(shape: ModelShape, options: PrefixOptions) -> Sequence[TargetModule]:
    """Count a key and a value for each vector in attention, each as wide as all heads together (w).

    With a network of width h there are h for each vector, h x h + h, and h x 2w + 2w.
    """
    width, inner = 2 * shape.cached_width, options.network
    network = inner * inner + inner + inner * width + width if inner else 0
    return [
        TargetModule(module=attention, base=network, per_size=inner or width, max_size=LONGEST * shape.max_positions)
        for attention in shape.attentions
        if attention_kind(attention) in options.attentions
    ]


def stored_prefixes(shape: ModelShape, options: PrefixOptions, sizes: ModuleSizes) -> int:
    """Count the prefixes themselves, and the new entries that every method trains."""
    prefixes = 2 * shape.cached_width * sum(sizes.get(attention, 0) for attention in shape.attentions)
    return prefixes + new_entry_parameters(shape)


def attention_kind(module: str) -> Attention:
    """Return which attention a module is."""
    return "cross" if is_cross(module) else side_of(module)


def insert_prefixes(model: "nn.Module", sizes: ModuleSizes, options: PrefixOptions) -> "nn.Module":
    """Give the attention modules a prefix of their own length, to which the base pays little attention at first."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.prefix_adapter import PrefixConfig, start_near_base, typical_queries

    queries = typical_queries(model, sizes)
    tuned = insert_adapter(model, PrefixConfig, sizes, length_pattern=dict(sizes), network=options.network)
    start_near_base(tuned, queries)
    return tuned


def without_networks(model: "nn.Module") -> "nn.Module":
    """Return what is stored: the prefixes alone."""
    from mtpeft.methods.base_adapter import fold_networks

    return fold_networks(model)


PREFIX = Method(
    options=PrefixOptions,
    paper="Li & Liang 2021, Prefix-Tuning: Optimizing Continuous Prompts for Generation (arXiv 2101.00190).",
    where="before the keys and values of attention",
    trains="budgeted",
    size_name="length",
    target_modules=prefix_targets,
    apply=insert_prefixes,
    finish=without_networks,
    stored_parameters=stored_prefixes,
)
