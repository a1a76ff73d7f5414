"""Tasks: the two kinds of models that translate, and all that follows from which one a model is of.

A sequence-to-sequence model reads the source in an encoder, and its decoder attends to it. A causal model has one stack
that reads the source, inside of a prompt, and goes on with the target. Nothing else in the project asks which of the
two a model is: a family names its task, and what differs is looked up by it, here or in a table with a row for each.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

Stack = Literal["encoder", "decoder"]


@dataclass(frozen=True)
class Task:
    """A kind of models that translate.

    Attributes:
        name: of the task.
        title: what messages call such a model.
        auto_class: class of transformers that opens such a model.
        classes: transformers' mapping from a type of configuration to the class of such a model.
        adapter_task: `task_type` of peft.
        stacks: sides that modules lie in.
        reads: names of the inputs that hold tokens.
        is_prompted: whether the source stands in a prompt, which names the languages in words.
        shared_positions: number of sides that share the positions of the model.
    """

    name: Literal["sequence_to_sequence", "causal"]
    title: str
    auto_class: str
    classes: str
    adapter_task: str
    stacks: tuple[Stack, ...]
    reads: tuple[str, ...]
    is_prompted: bool
    shared_positions: int

    def auto_model(self) -> Any:
        """Return the class of transformers that opens such a model."""
        import transformers

        return getattr(transformers, self.auto_class)

    def model_class(self, config: "PreTrainedConfig") -> "type[PreTrainedModel]":
        """Return the class of a model of this configuration."""
        from transformers.models.auto import modeling_auto

        return getattr(modeling_auto, self.classes)[type(config)]

    def positions_of_side(self, positions: int) -> int:
        """Return how many of a model's positions each side of a sentence pair may take."""
        return positions // self.shared_positions


SEQUENCE_TO_SEQUENCE = Task(
    name="sequence_to_sequence",
    title="sequence-to-sequence",
    auto_class="AutoModelForSeq2SeqLM",
    classes="MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
    adapter_task="SEQ_2_SEQ_LM",
    stacks=("encoder", "decoder"),
    reads=("input_ids", "decoder_input_ids"),
    is_prompted=False,
    shared_positions=1,
)
CAUSAL = Task(
    name="causal",
    title="decoder-only",
    auto_class="AutoModelForCausalLM",
    classes="MODEL_FOR_CAUSAL_LM_MAPPING",
    adapter_task="CAUSAL_LM",
    stacks=("decoder",),
    reads=("input_ids",),
    is_prompted=True,
    shared_positions=2,
)
