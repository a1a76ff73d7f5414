"""A prompt that a network makes of trained embeddings (P-tuning, Liu et al. 2021, arXiv 2103.10385).

The budget counts what is trained: the embeddings, one for each token of the prompt, and the network, which may be most
of it. What is stored is the prompt that comes out of the network, so that training can't go on from there.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.methods.new_entries import new_entry_parameters
from mtpeft.methods.prompt import both_sides, encoder_of, longest_prompt
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

LSTM_LAYERS = 2
GATES = 4
"""Of an LSTM; each has a matrix for the input, one for the state, and two biases."""


class PTuningOptions(TrainedMethodOptions):
    """`method: p_tuning`."""

    method: Literal["p_tuning"]
    network: Literal["mlp", "lstm"] = Field(
        default="mlp", description="Three linear layers, or two of a bidirectional LSTM and two linear ones."
    )
    hidden: PositiveInt = Field(default=64, description="Inner width of the network.")


def network_parameters(d: int, hidden: int, network: str) -> int:
    """Return the parameters of the network, as peft builds it, for embeddings and vectors of width d."""
    if network == "mlp":
        return _linear(d, hidden) + _linear(hidden, hidden) + _linear(hidden, d)
    inputs = (d, *(2 * hidden for _ in range(LSTM_LAYERS - 1)))
    lstm = sum(2 * GATES * hidden * (width + hidden + 2) for width in inputs)
    return lstm + _linear(2 * hidden, 2 * hidden) + _linear(2 * hidden, d)


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def p_tuning_targets(shape: ModelShape, options: PTuningOptions) -> Sequence[TargetModule]:
    """Count the network before the source, and an embedding (d) for each token of the prompt."""
    network = network_parameters(shape.d_model, options.hidden, options.network)
    encoder, longest = encoder_of(shape), longest_prompt(shape)
    return [TargetModule(module=encoder, base=network, per_size=shape.d_model, max_size=longest)]


def stored_prompt(shape: ModelShape, options: PTuningOptions, sizes: ModuleSizes) -> int:
    """Count a vector (d) for each token of the prompt, and the new entries that every method trains."""
    return sizes[encoder_of(shape)] * shape.d_model + new_entry_parameters(shape)


def insert_network(model: "nn.Module", sizes: ModuleSizes, options: PTuningOptions) -> "nn.Module":
    """Put a network and the prompt that it makes before the encoder's input."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.p_tuning_adapter import PromptNetworkConfig

    ((encoder, tokens),) = sizes.items()
    network = {"network": options.network.upper(), "hidden": options.hidden, "layers": LSTM_LAYERS}
    return insert_adapter(model, PromptNetworkConfig, both_sides(encoder), tokens=tokens, **network)


def fold(model: "nn.Module") -> "nn.Module":
    """Return the model with a plain prompt, which is stored as that of prompt tuning is."""
    from mtpeft.methods.p_tuning_adapter import fold_network

    return fold_network(model)


P_TUNING = Method(
    options=PTuningOptions,
    paper="Liu et al. 2021, GPT Understands, Too (arXiv 2103.10385).",
    where="before the source",
    trains="budgeted",
    size_name="tokens",
    target_modules=p_tuning_targets,
    apply=insert_network,
    finish=fold,
    stored_parameters=stored_prompt,
)
