"""Trained keys and values before those of attention (prefix tuning, Li & Liang 2021, arXiv 2101.00190).

The prefix is trained as it is, or as the paper has it through a feed-forward network that is thrown away afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import PositiveInt

from mtpeft.core.section import later
from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.methods.new_entries import new_entry_numbers
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


def prefix_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """In attention: a key and a value, each as wide as all heads together (w), for each vector.

    With a network of width h: h for each vector, h x h + h, and h x 2w + 2w.
    """
    width, inner = 2 * shape.attention_width, options.get("network")
    step = inner or width
    fixed = inner * inner + inner + inner * width + width if inner else 0
    return [
        Site(module=attention, fixed=fixed, step=step, most=LONGEST * shape.max_positions)
        for attention in shape.attentions
        if attention_kind(attention) in options.get("attentions", ATTENTIONS)
    ]


def stored_prefixes(shape: ModelShape, options: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """Parameters of the prefixes themselves, and what every method trains beside its own."""
    prefixes = 2 * shape.attention_width * sum(sizes.get(attention, 0) for attention in shape.attentions)
    return prefixes + new_entry_numbers(shape)


def attention_kind(module: str) -> Attention:
    """Which attention a module is."""
    return "cross" if is_cross(module) else side_of(module)


def insert_prefixes(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Give the attention modules a prefix of their own length, to which the base pays little attention at first."""
    from peft import get_peft_model

    from mtpeft.methods.prefix_adapter import PrefixConfig, start_near_base, typical_queries

    queries = typical_queries(model, sizes)
    config = PrefixConfig(
        task_type="SEQ_2_SEQ_LM",
        target_modules=list(sizes),
        length_pattern=dict(sizes),
        network=options.get("network"),
    )
    tuned = get_peft_model(model, config)
    start_near_base(tuned, queries)
    return tuned


def without_networks(model: "nn.Module") -> "nn.Module":
    """What is stored: the prefixes alone."""
    from mtpeft.methods.prefix_adapter import fold_networks

    return fold_networks(model)


PREFIX = Method(
    options=PrefixOptions,
    paper="Li & Liang 2021, Prefix-Tuning: Optimizing Continuous Prompts for Generation (arXiv 2101.00190).",
    places="before the keys and values of attention",
    trains="sized",
    size_name="length",
    sites=prefix_sites,
    apply=insert_prefixes,
    finish=without_networks,
    stored=stored_prefixes,
)
