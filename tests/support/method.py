"""Tiny random models of each family, and methods built on them as the trainer builds them."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtpeft.cluster.preemption import PreemptionHandler, StopReason
from mtpeft.data.batch_layout import model_inputs, prompt_lengths
from mtpeft.methods import method_of, options_of
from mtpeft.methods.base import Method, MethodOptions
from mtpeft.methods.budget import Allocation, allocation_of
from mtpeft.methods.token_sides import assign_prompt_lengths
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families import read_shape, task_of
from mtpeft.models.load import load_base
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.training.batches import single_sentences
from support.family import ALL_CHECKPOINTS, save_random

FAMILIES = {
    "mbart": "mbart50",
    "m2m100": "m2m100",
    "marian": "marian",
    "student": "student",
    "t5": "t5",
    "mt5": "mt5",
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma2": "gemma2",
    "gemma3": "gemma3",
}
"""Families that methods are tried on, with the checkpoint whose configuration each has."""
TWO_STACKS = ("mbart", "m2m100", "marian", "student", "t5", "mt5")
"""Those of them with an encoder and a decoder."""
VOCABULARY = 61
WORDS = (6, 50)
"""First and last token that stands for a word."""
LENGTHS = (7, 4, 5)
"""Source tokens of the sentences of a batch; targets have one more."""


DEPTHS = ("encoder_layers", "decoder_layers", "num_layers", "num_hidden_layers")
CALM = {"dropout": 0.0, "dropout_rate": 0.0, "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}


def write_base(family: str, folder: Path, layers: int = 1, **sizes: int) -> Path:
    """A folder with a tiny random model of a family, with so many layers on each side, without a tokenizer.

    Other sizes are keys of its config.json.
    """
    config = {**ALL_CHECKPOINTS[FAMILIES[family]].config, "vocab_size": VOCABULARY}
    if family in ("marian", "student"):
        config |= {"pad_token_id": VOCABULARY - 1, "decoder_start_token_id": VOCABULARY - 1}
    depth = {key: layers for key in (*DEPTHS, "num_decoder_layers") if key in config}
    save_random(config | depth | sizes | CALM, folder)
    return folder


@lru_cache(maxsize=len(FAMILIES))
def _opened(base: Path) -> nn.Module:
    return load_base(base).eval()


@dataclass(frozen=True)
class Subject:
    """A method on a base: the model to train, to be looked at or as a copy to be changed.

    Attributes:
        base: folder of the base model.
        params: of the method, as those of a job have them.
        share: budget of a method that has one.
    """

    base: Path
    params: Mapping[str, Any]
    share: float | None

    @cached_property
    def method(self) -> Method:
        """The method."""
        return method_of(self.params)

    @cached_property
    def options(self) -> MethodOptions:
        """Options of the method."""
        return options_of(self.params)

    @cached_property
    def shape(self) -> ModelShape:
        """Shape of the base."""
        return read_shape(json.loads((self.base / "config.json").read_text(encoding="utf-8")))

    @cached_property
    def allocation(self) -> Allocation:
        """The trained parameters, in closed form."""
        return allocation_of(self.method, self.options, self.shape, share=self.share)

    @cached_property
    def stored(self) -> int:
        """Numbers that are stored, in closed form."""
        stored = self.method.stored_parameters
        return stored(self.shape, self.options, self.allocation.sizes) if stored else self.allocation.trained

    @property
    def base_model(self) -> nn.Module:
        """The base as it is; read only."""
        return _opened(self.base)

    @cached_property
    def start(self) -> nn.Module:
        """The base with what the method trains of it; read only."""
        torch.manual_seed(1)
        model = self.method.apply(self.untouched(), self.allocation.sizes, self.options).eval()
        if self.method.fit:
            self.method.fit(model, self.options, single_sentences([batch(self.special_tokens())], len(LENGTHS)))
        return model

    @cached_property
    def trained(self) -> nn.Module:
        """The same with values as training would give them; read only."""
        return self.stirred()

    @cached_property
    def finished(self) -> nn.Module:
        """The part of a trained model that is stored; read only."""
        return self.finish(self.stirred())

    def untouched(self) -> nn.Module:
        """A copy of the base."""
        return copy.deepcopy(self.base_model)

    def build(self) -> nn.Module:
        """A copy of the model at its start."""
        return copy.deepcopy(self.start)

    def stirred(self) -> nn.Module:
        """A copy with values as training would give them."""
        model = self.build()
        stir(model)
        return model

    def finish(self, model: nn.Module) -> nn.Module:
        """The part of a trained model that is stored."""
        finish = self.method.finish
        return finish(model) if finish else model

    def special_tokens(self) -> SpecialTokens:
        """Special tokens of the base."""
        return self.frame_of(self.base_model.config)

    @staticmethod
    def frame_of(config: Any) -> SpecialTokens:
        """Special tokens of a model of this configuration."""
        task = task_of(config)
        begin = tuple(getattr(config, "decoder_start_token_id", 0) for _ in task.reads[1:])
        end = config.eos_token_id if isinstance(config.eos_token_id, int) else config.eos_token_id[0]
        pad = end if config.pad_token_id is None else config.pad_token_id
        return SpecialTokens(pad=pad, end=end, begin=begin, max_length=64, task=task)


def stir(model: nn.Module, by: float = 0.1) -> None:
    """Move every trained parameter, by an amount that leaves outputs finite."""
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(by * torch.randn_like(parameter))


def sources(count: int = len(LENGTHS)) -> list[torch.Tensor]:
    """Sentences of random words."""
    generator = torch.Generator().manual_seed(5)
    return [torch.randint(*WORDS, (length,), generator=generator) for length in LENGTHS[:count]]


def batch(special_tokens: SpecialTokens, seed: int = 11) -> dict[str, torch.Tensor]:
    """Inputs and labels of a batch with padding on both sides."""
    generator = torch.Generator().manual_seed(seed)
    targets = [torch.randint(*WORDS, (length + 1,), generator=generator) for length in LENGTHS]
    return dict(model_inputs(sources(), targets, special_tokens=special_tokens))


@torch.no_grad()
def logits(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Scores of the next token, (batch, length, vocabulary)."""
    with prompts_known(model, inputs):
        return model(**{name: value for name, value in inputs.items() if name != "labels"}, use_cache=False).logits


@contextmanager
def prompts_known(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Tell modules that treat source and target apart where the targets of a batch begin, as the trainer does."""
    if "labels" in inputs:
        assign_prompt_lengths(model.modules(), prompt_lengths(inputs["labels"]))
    try:
        yield
    finally:
        assign_prompt_lengths(model.modules(), None)


class StopAfter(PreemptionHandler):
    """A preemption handler that stops a run after so many updates of this process."""

    def __init__(self, updates: int) -> None:
        super().__init__()
        self._left = updates

    def reason_to_stop(self) -> StopReason | None:
        """Return a reason to stop once the run has made its updates."""
        self._left -= 1
        return StopReason("test", "so the test wants it") if self._left < 0 else None


Check = Callable[[Subject, Path], None]
