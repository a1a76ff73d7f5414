"""An example of a method that is no part of the package: one trained factor on what each block of a layer adds.

The smallest method there is: one number for every attention and every feed-forward block. To use it:

    method_modules: [workflow/examples/block_gates.py]

Methods:
      gates: {method: block_gates, learning_rate: {search: [0.01, 0.02, 0.04]}}

This file is read whenever Snakemake reads the configuration, so it imports no torch; the tuner in block_gates_tuner.py,
beside it, is imported when a model is built or opened.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn


class BlockGatesOptions(TrainedMethodOptions):
    """`method: block_gates`."""

    method: Literal["block_gates"]


def gate_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """One number at the last linear layer of every attention and feed-forward block."""
    outputs = [linear.module for linear in shape.linears if linear.role == "output"]
    return [Site.of_one_size(module, 1) for module in (*outputs, *shape.feed_forwards)]


def insert_gates(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Multiply what the named modules put out by factors that are one at first."""
    from block_gates_tuner import BlockGatesConfig
    from peft import get_peft_model

    return get_peft_model(model, BlockGatesConfig(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes)))


def know_tuner() -> None:
    """Let peft know the tuner, before a stored cell is opened."""
    import block_gates_tuner  # noqa: F401 - importing it is all that it takes


BLOCK_GATES = Method(
    options=BlockGatesOptions,
    paper="None: an example.",
    places="behind each block",
    trains="point",
    sites=gate_sites,
    apply=insert_gates,
    starts_as_base=True,
    register=know_tuner,
)
