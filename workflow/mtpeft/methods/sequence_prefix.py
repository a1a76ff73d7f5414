"""Prefixes in the sequence, whose activations are overwritten (Üstün & Cooper Stickland 2022, arXiv 2205.11277).

The prefix of the study's own code: so many positions before the source and before the target. Their embeddings begin as
words of the vocabulary; from the second layer on, what stands at these positions is overwritten with trained vectors of
the layer, and cross-attention sees the encoder's. `method: prefix` is another one: keys and values in each attention.
One thing of that code is left out: there prefixes can be predicted as words, which no target asks for.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from mtpeft.core.section import later
from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.methods.new_entries import new_entry_parameters
from mtpeft.methods.prompt import both_sides, encoder_of, longest_prompt
from mtpeft.models.architecture import ModelShape, side_of
from mtpeft.models.families import read_shape

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
    """Return the layers of the encoder or the decoder, in their order."""
    side = side_of(f"{stack}.")
    return [layer for layer in shape.layers if side_of(layer) == side]


def sequence_prefix_targets(shape: ModelShape, options: SequencePrefixOptions) -> Sequence[TargetModule]:
    """Count a vector (d) in each layer for each position before the source and before the target.

    With a network of width h, each layer but the first of a side has d x h + h and h x d + d besides.
    """
    d, inner = shape.d_model, options.network
    network = 2 * d * inner + inner + d if inner else 0
    layers = {stack: len(layers_of(shape, stack)) for stack in both_sides(encoder_of(shape))}
    return [
        TargetModule(module=stack, base=(count - 1) * network, per_size=count * d, max_size=longest_prompt(shape))
        for stack, count in layers.items()
    ]


def stored_vectors(shape: ModelShape, options: SequencePrefixOptions, sizes: ModuleSizes) -> int:
    """Count the vectors themselves, and the new entries that every method trains."""
    stacks = both_sides(encoder_of(shape))
    vectors = sum(sizes[stack] * len(layers_of(shape, stack)) for stack in stacks)
    return vectors * shape.d_model + new_entry_parameters(shape)


def insert_sequence_prefixes(model: "nn.Module", sizes: ModuleSizes, options: SequencePrefixOptions) -> "nn.Module":
    """Put positions before source and target, and vectors into the layers behind the first."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.sequence_prefix_adapter import SequencePrefixConfig

    shape = read_shape(model.config.to_dict())
    lengths = {}
    for stack in both_sides(encoder_of(shape)):
        lengths |= dict.fromkeys([stack, *layers_of(shape, stack)[1:]], sizes[stack])
    return insert_adapter(model, SequencePrefixConfig, lengths, length_pattern=lengths, network=options.network)


def without_networks(model: "nn.Module") -> "nn.Module":
    """Return what is stored: the vectors alone."""
    from mtpeft.methods.base_adapter import fold_networks

    return fold_networks(model)


SEQUENCE_PREFIX = Method(
    options=SequencePrefixOptions,
    paper="Üstün & Cooper Stickland 2022, When does Parameter-Efficient Transfer Learning Work for Machine "
    "Translation? (arXiv 2205.11277).",
    where="before source and target, in every layer",
    trains="budgeted",
    size_name="length",
    target_modules=sequence_prefix_targets,
    apply=insert_sequence_prefixes,
    finish=without_networks,
    stored_parameters=stored_vectors,
)
