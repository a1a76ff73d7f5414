"""An example of a method that is no part of the package: one trained factor on what each block of a layer adds.

The smallest method there is: one number for every attention and every feed-forward block. To use it:

    modules: [workflow/examples/block_gates.py]
    methods: {gates: {method: block_gates, learning_rate: {search: [0.01, 0.02, 0.04]}}}

This file is read whenever Snakemake reads the configuration, so it imports no torch. The adapter in
block_gates_adapter.py, beside it, is imported when a model is built or opened.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class BlockGatesOptions(TrainedMethodOptions):
    """`method: block_gates`."""

    method: Literal["block_gates"]


def gate_targets(shape: ModelShape, options: BlockGatesOptions) -> Sequence[TargetModule]:
    """One number at the last linear layer of every attention and feed-forward block."""
    outputs = [linear.module for linear in shape.linears if linear.role == "output"]
    return [TargetModule.fixed(module, 1) for module in (*outputs, *shape.feed_forwards)]


def insert_gates(model: "nn.Module", sizes: ModuleSizes, options: BlockGatesOptions) -> "nn.Module":
    """Multiply what the target modules put out by factors that are one at first."""
    from block_gates_adapter import BlockGatesConfig

    from mtpeft.methods.base_adapter import insert_adapter

    return insert_adapter(model, BlockGatesConfig, sizes)


BLOCK_GATES = Method(
    options=BlockGatesOptions,
    paper="None: an example.",
    where="behind each block",
    trains="fixed",
    target_modules=gate_targets,
    apply=insert_gates,
    starts_as_base=True,
)
