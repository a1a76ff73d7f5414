"""What is measured: a model with a method and its text, the same for both sides. Here, cells of a study."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from benchmarks.measure import LapHandler
from mtpeft.cells import Cell
from mtpeft.config.load import load
from mtpeft.core.checksums import require_whole
from mtpeft.core.errors import UserError
from mtpeft.core.provenance import PLAIN
from mtpeft.data.token_arrays import read_arrays
from mtpeft.front.sweep import sweep
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.models.families import read_json, read_shape
from mtpeft.models.load import device_here
from mtpeft.models.precision import precision_of
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, open_tokenizer, special_tokens_of
from mtpeft.steps.search_rate import files_of_each
from mtpeft.steps.step import STEPS, flat
from mtpeft.training.batches import TrainingText
from mtpeft.training.build_model import build_stages, count_trained
from mtpeft.training.evaluate import dev_chrf, read_dev_set
from mtpeft.training.finetune import CellInputs, prepare_training, run_training, training_texts
from mtpeft.training.loop import TrainingRun
from mtpeft.training.params import CellParams


class Case(ABC):
    """A model with a method and its text."""

    label: str

    @abstractmethod
    def params(self, updates: int) -> CellParams:
        """Return the params of a training of so many updates."""

    @abstractmethod
    def train(self, updates: int, handler: LapHandler) -> tuple[nn.Module, TrainingRun]:
        """Train as a cell is trained."""

    @abstractmethod
    def untrained(self) -> nn.Module:
        """Return the model with what its method trains, on its device, as a training of ours begins with it."""

    @abstractmethod
    def tuned(self, folder: Path) -> nn.Module:
        """Open a trained model, on its device, in evaluation mode."""

    @abstractmethod
    def special_tokens(self, model: nn.Module) -> SpecialTokens:
        """Return the special tokens of the model for its target language."""

    @abstractmethod
    def text(self, special_tokens: SpecialTokens) -> TrainingText:
        """Return the training text."""

    @abstractmethod
    def sources(self) -> list[torch.Tensor]:
        """Return the sentences to translate, as tokens."""

    @abstractmethod
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Return a tokenizer that can pad batches."""

    @abstractmethod
    def dev_score(self, model: nn.Module) -> float | None:
        """Return the dev score of a model with our search, or None where there is no dev set."""


@dataclass(frozen=True)
class CellCase(Case):
    """A cell of a study on one language pair.

    Attributes:
        label: of the rows of the tables.
        plain: params of its training.
        inputs: files that it is trained from.
        tests: token arrays of its test set.
    """

    label: str
    plain: Mapping[str, Any]
    inputs: CellInputs
    tests: Path

    def params(self, updates: int) -> CellParams:
        """Return the params of the cell with so many updates and no evaluation but the last."""
        return CellParams.of(self._with(updates))

    def train(self, updates: int, handler: LapHandler) -> tuple[nn.Module, TrainingRun]:
        """Train the cell."""
        prepared = prepare_training(self._with(updates), self.inputs)
        with TemporaryDirectory() as state:
            return run_training(prepared, state_folder=Path(state), preemption=handler)

    def untrained(self) -> nn.Module:
        """Return the base model with the method."""
        params, folder = self.params(1), self._folder
        counted = count_trained(params.method, read_shape(read_json(folder / "config.json")), budget=params.budget)
        own = precision_of(self.plain, self.label)
        return next(build_stages(folder, params, counted, precision=own, device=device_here(), execution=PLAIN))

    def tuned(self, folder: Path) -> nn.Module:
        """Open the base model together with a `tuned/` folder."""
        return open_tuned(self._folder, folder).to(device_here()).eval()

    def special_tokens(self, model: nn.Module) -> SpecialTokens:
        """Return the special tokens of the model for the target language of the cell."""
        return special_tokens_of(self._opened, model.config)

    def text(self, special_tokens: SpecialTokens) -> TrainingText:
        """Return the cell's training subset."""
        return training_texts(self.inputs, [special_tokens])[0]

    def sources(self) -> list[torch.Tensor]:
        """Return the test set."""
        arrays = read_arrays(self.tests).source
        return [arrays[row] for row in range(len(arrays))]

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Return the model's tokenizer."""
        return self._opened.pretrained

    def dev_score(self, model: nn.Module) -> float:
        """Return chrF on the cell's dev set."""
        evaluate = dev_chrf(
            model.eval(),
            self.params(1).search,
            dev=read_dev_set(self.inputs.dev, self.inputs.dev_text),
            tokenizer=self._opened,
            special_tokens=self.special_tokens(model),
        )
        return evaluate(lambda: None)

    @property
    def _folder(self) -> Path:
        return Path(require_whole(self.inputs.base)["folder"])

    @property
    def _opened(self) -> PairTokenizer:
        return open_tokenizer(self._folder, self.plain["languages"], vocabulary=self.label)

    def _with(self, updates: int) -> dict[str, Any]:
        changed = {**self.plain["optimisation"], "updates": updates, "evaluations": 1}
        return {**self.plain, "optimisation": changed}


def cell_cases(overlays: Sequence[Path], labels: Sequence[str]) -> list[CellCase]:
    """Return cells of a study, given by their six labels, and make what they read where it is not there yet.

    Raises:
        UserError: the learning rate of a cell is not known.
        SystemExit: the files can't be made.
    """
    configuration = load(overlays)
    cells = [Cell.parse(label) for label in labels]
    needed = [
        path
        for cell in cells
        for step in ("train", "decode")
        for path in flat(STEPS[step].inputs_of(configuration, cell.named))
    ]
    if code := sweep(sorted(set(needed)), overlays=overlays):
        raise SystemExit(code)
    return [_case(configuration, cell) for cell in cells]


def _case(configuration: Any, cell: Cell) -> CellCase:
    plain = STEPS["train"].params_of(configuration, cell.named)
    if isinstance(plain["optimisation"]["learning_rate"], dict):
        raise UserError(
            f"The learning rate of {cell.path} has yet to be searched for; name a cell whose rate is known."
        )
    read = {
        name: list(map(Path, flat({name: paths})))
        for name, paths in STEPS["train"].inputs_of(configuration, cell.named).items()
    }
    (base,) = read["base"]
    (files,) = files_of_each(
        base, read["train"], read["dev"], dev_text=read["dev-text"], subset=read["subset"], start=read.get("start", [])
    )
    tests = flat(STEPS["decode"].inputs_of(configuration, cell.named))[0]
    return CellCase(f"`{cell.model}`, {cell.method}", plain, replace(files), Path(tests))
