"""Trained keys and values before those of every attention (prefix tuning, Li & Liang 2021, arXiv 2101.00190).

The prefix is trained as it is, without the feed-forward network through which the paper passes it in training.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.shapes import ModelShape

if TYPE_CHECKING:
    from torch import nn


LONGEST = 4
"""Length of the longest prefix, in multiples of the longest sequence."""


class PrefixOptions(TrainedMethodOptions):
    """`tuner: prefix`."""

    tuner: Literal["prefix"]


def prefix_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """In self- and cross-attention: a key and a value, each as wide as all heads together, for each vector."""
    return [
        Site(module=attention, fixed=0, step=2 * shape.attention_width, most=LONGEST * shape.max_positions)
        for attention in shape.attentions
    ]


def insert_prefixes(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Give every attention module a prefix of its own length, to which the base pays little attention at first."""
    from peft import get_peft_model

    from mtpeft.tuners.prefix import PrefixConfig
    from mtpeft.tuners.prefix_start import start_near_base, typical_queries

    queries = typical_queries(model, sizes)
    config = PrefixConfig(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes), length_pattern=dict(sizes))
    tuned = get_peft_model(model, config)
    start_near_base(tuned, queries)
    return tuned


PREFIX = Method(
    options=PrefixOptions,
    paper="Li & Liang 2021, Prefix-Tuning: Optimizing Continuous Prompts for Generation (arXiv 2101.00190).",
    places="before the keys and values of each attention",
    trains="sized",
    size_name="length",
    sites=prefix_sites,
    apply=insert_prefixes,
)
