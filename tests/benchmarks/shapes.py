"""Cases of large published models for a GPU: their shapes with random weights, on text of random tokens.

What a model costs follows from its shape and from the lengths of the sentences. Random models end no sentence, so each
hypothesis is as long as its limit, which is in proportion to the length of its source.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import nn
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from benchmarks.cases import Case
from benchmarks.measure import LapHandler, Measurement, apart, timed
from mtpeft.core.files import read_record, write_record
from mtpeft.core.provenance import PLAIN
from mtpeft.data.token_arrays import Ragged, TokenPairs
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.models.families import read_json, read_shape
from mtpeft.models.load import device_here, random_model
from mtpeft.models.precision import WHOLE
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.training.batches import TrainingText, cell_batches, ready_for
from mtpeft.training.build_model import build_stages, count_trained
from mtpeft.training.finetune import plan_of
from mtpeft.training.loop import TrainingRun, TrainingTask, train
from mtpeft.training.optimizer import decay_rule_of
from mtpeft.training.params import CellParams

PUBLISHED = Path(__file__).parents[1] / "fixtures/published"
SHAPES = {"mBART-50": "mbart-large-50", "NLLB-600M": "nllb-200-distilled-600M"}
"""Folders with the configurations of published models, by what the tables call them."""
METHODS: Mapping[str, tuple[Mapping[str, Any], float | None, float]] = {
    "LoRA": ({"method": "lora"}, 0.01, 2e-4),
    "full": ({"method": "full"}, None, 2e-5),
}
"""Options, budget and learning rate."""
OPTIMISATION = {"batch_tokens": 4096, "dropout": 0.1, "label_smoothing": 0.1, "evaluations": 1}
SEARCH = {"beam_size": 5, "max_length_ratio": 1.0}
"""As in the study of the paper, but for the limit of lengths."""
PRECISION = {"cpu": "float32", "cuda": "bf16"}
"""Of training and decoding on each device: on a GPU that of the expert on the other side."""
ROWS, TEST_ROWS = 20_000, 512
MEAN_LENGTH, SPREAD, LONGEST = 30.0, 0.6, 200
"""Tokens of a sentence are distributed log-normally."""
FIRST_WORD = 4
"""The tokens before it are special in both vocabularies."""


@dataclass(frozen=True)
class ShapeCase(Case):
    """A published shape with random weights.

    Attributes:
        label: of the rows of the tables.
        folder: of the base model.
        method: its options.
        budget: share of the parameters that it trains, or None.
        learning_rate: peak.
        optimisation: options of the training that differ from those of the study of the paper.
        rows: sentence pairs of the training text.
    """

    label: str
    folder: Path
    method: Mapping[str, Any]
    budget: float | None
    learning_rate: float
    optimisation: Mapping[str, Any] = field(default_factory=dict)
    rows: int = ROWS

    def params(self, updates: int) -> CellParams:
        """Return params like those of a cell."""
        precision = {"precision": PRECISION[device_here().type]}
        changed = {**OPTIMISATION, **precision, **self.optimisation, "updates": updates}
        plain = {
            "method": dict(self.method),
            "budget": self.budget,
            "optimisation": changed | {"learning_rate": self.learning_rate},
            "search": SEARCH | precision,
            "languages": {"source": "es", "target": "en"},
            "seed": 1,
            "threads": 1,
        }
        return CellParams.of(plain)

    def train(self, updates: int, handler: LapHandler) -> tuple[nn.Module, TrainingRun]:
        """Train with the loop that trains cells; there is no dev set."""
        params, model = self.params(updates), self.untrained()
        optimisation = params.optimisation
        batch = cell_batches(
            [self.text(self.special_tokens(model))],
            batch_tokens=optimisation.batch_tokens,
            temperature=optimisation.temperature,
            seed=params.seed,
        )
        task = TrainingTask(
            model=model,
            batch=ready_for(model.device, batch),
            evaluate=lambda poll: 0.0,
            identity=self.label,
            decays=decay_rule_of(params.method),
        )
        plan = plan_of(params, self.learning_rate, stage=0)
        with TemporaryDirectory() as state:
            run = train(task, plan, state_folder=Path(state), preemption=handler)
        run.history.clear()
        return model, run

    def untrained(self) -> nn.Module:
        """Return the base model with the method."""
        params = self.params(1)
        shape = read_shape(read_json(self.folder / "config.json"))
        counted = count_trained(params.method, shape, budget=params.budget)
        return next(build_stages(self.folder, params, counted, precision=WHOLE, device=device_here(), execution=PLAIN))

    def tuned(self, folder: Path) -> nn.Module:
        """Open the base model together with what was trained."""
        return open_tuned(self.folder, folder).to(device_here()).eval()

    def special_tokens(self, model: nn.Module) -> SpecialTokens:
        """Return the special tokens of the configuration; a language token would be one more."""
        config = model.config
        return SpecialTokens(
            pad=config.pad_token_id,
            end=config.eos_token_id,
            begin=(config.decoder_start_token_id,),
            max_length=config.max_position_embeddings,
        )

    def text(self, special_tokens: SpecialTokens) -> TrainingText:
        """Return random sentence pairs, whose sides are of similar lengths."""
        lengths = _lengths(self.rows, seed=1)
        source = self._random(lengths, seed=2)
        target = self._random(np.maximum(2, lengths + np.random.default_rng(3).integers(-3, 4, len(lengths))), seed=4)
        return TrainingText(TokenPairs(source, target), range(self.rows), special_tokens)

    def sources(self) -> list[torch.Tensor]:
        """Return random sentences."""
        sentences = self._random(_lengths(TEST_ROWS, seed=5), seed=6)
        return [sentences[row] for row in range(len(sentences))]

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Return a tokenizer that can only pad."""
        pad = read_json(self.folder / "config.json")["pad_token_id"]
        entries = {("<pad>" if number == pad else f"<{number}>"): number for number in range(FIRST_WORD)}
        return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(entries, "<0>")), pad_token="<pad>")

    def dev_score(self, model: nn.Module) -> None:
        """Return nothing, since there is no dev set."""

    def _random(self, lengths: np.ndarray, *, seed: int) -> Ragged:
        """Return random sentences of these lengths, the end token included."""
        config = read_json(self.folder / "config.json")
        generator = torch.Generator().manual_seed(seed)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        tokens = torch.randint(FIRST_WORD, config["vocab_size"], (int(offsets[-1]),), generator=generator)
        tokens[torch.from_numpy(offsets[1:] - 1)] = config["eos_token_id"]
        return Ragged(tokens.to(torch.int32), offsets, special_token_count=1)


def _lengths(count: int, *, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).lognormal(np.log(MEAN_LENGTH), SPREAD, count)
    return np.clip(np.rint(drawn), 3, LONGEST).astype(np.int64)


def write_shape(published: str, folder: Path, changes: Mapping[str, Any]) -> Measurement:
    """Write a model with the configuration of a published one, but for some keys, and with random weights.

    Args:
        published: name of the folder of its configuration.
        folder: where it goes.
        changes: keys of the configuration with other values.
    """

    def write() -> tuple[int, Mapping[str, Any]]:
        config = {**read_record(PUBLISHED / published / "config.json"), **changes}
        random_model(config, seed=1).save_pretrained(folder)
        write_record(folder / "config.json", config)
        shutil.copyfile(PUBLISHED / published / "tokenizer_config.json", folder / "tokenizer_config.json")
        return 1, {}

    return timed(write)


def shape_cases(folder: Path, **changes: Any) -> list[ShapeCase]:
    """Return a case for each shape and method; the base models are written into a folder."""
    cases = []
    for name, published in SHAPES.items():
        base = folder / published
        apart(write_shape, published, base, changes)  # in a fork, since torch begins threads when it computes
        cases += [ShapeCase(f"{name}, {label}", base, *own) for label, own in METHODS.items()]
    return cases
