"""Prefixes in the sequence, whose activations are overwritten (Üstün & Cooper Stickland 2022, arXiv 2205.11277).

The prefix of the study's own code: so many positions before the source and before the target. Their embeddings begin as
words of the vocabulary; from the second layer on, what stands at these positions is overwritten with trained vectors of
the layer, and cross-attention sees the encoder's. `method: prefix` is another one: keys and values in each attention.
One thing of that code is left out: there prefixes can be predicted as words, which no target asks for.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import PositiveInt

from mtpeft.core.section import later
from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.methods.new_entries import new_entry_numbers
from mtpeft.methods.prompt import both_sides, encoder_of, longest_prompt
from mtpeft.models.architecture import ModelShape, side_of

if TYPE_CHECKING:
    from torch import nn


class SequencePrefixOptions(TrainedMethodOptions):
    """`method: sequence_prefix`."""

    method: Literal["sequence_prefix"]
    network: PositiveInt | None = later(
        None,
        description="Inner width of a network for each layer through which its vectors are trained, 512 in the study; "
        "it counts, and is not stored. Empty: none.",
    )


def layers_of(shape: ModelShape, stack: str) -> list[str]:
    """Layers of the encoder or the decoder, in their order."""
    side = side_of(f"{stack}.")
    return [layer for layer in shape.layers if side_of(layer) == side]


def sequence_prefix_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Before the source and before the target: for each position a vector (d) in each layer.

    With a network of width h, each layer but the first of a side has d x h + h and h x d + d besides.
    """
    d, inner = shape.d_model, options.get("network")
    network = 2 * d * inner + inner + d if inner else 0
    layers = {stack: len(layers_of(shape, stack)) for stack in both_sides(encoder_of(shape))}
    return [
        Site(module=stack, fixed=(count - 1) * network, step=count * d, most=longest_prompt(shape))
        for stack, count in layers.items()
    ]


def stored_vectors(shape: ModelShape, options: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """The vectors themselves, and what every method trains beside its own."""
    stacks = both_sides(encoder_of(shape))
    vectors = sum(sizes[stack] * len(layers_of(shape, stack)) for stack in stacks)
    return vectors * shape.d_model + new_entry_numbers(shape)


def insert_sequence_prefixes(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Put positions before source and target, and vectors into the layers behind the first."""
    from peft import get_peft_model

    from mtpeft.methods.sequence_prefix_adapter import SequencePrefixConfig
    from mtpeft.models.families import read_shape

    shape = read_shape(model.config.to_dict())
    lengths = {}
    for stack in both_sides(encoder_of(shape)):
        lengths |= dict.fromkeys([stack, *layers_of(shape, stack)[1:]], sizes[stack])
    config = SequencePrefixConfig(
        task_type="SEQ_2_SEQ_LM",
        target_modules=list(lengths),
        length_pattern=lengths,
        network=options.get("network"),
    )
    return get_peft_model(model, config)


def without_networks(model: "nn.Module") -> "nn.Module":
    """What is stored: the vectors alone."""
    from mtpeft.methods.sequence_prefix_adapter import fold_networks

    return fold_networks(model)


SEQUENCE_PREFIX = Method(
    options=SequencePrefixOptions,
    paper="Üstün & Cooper Stickland 2022, When does Parameter-Efficient Transfer Learning Work for Machine "
    "Translation? (arXiv 2205.11277).",
    places="before source and target, in every layer",
    trains="sized",
    size_name="length",
    sites=sequence_prefix_sites,
    apply=insert_sequence_prefixes,
    finish=without_networks,
    stored=stored_vectors,
)
