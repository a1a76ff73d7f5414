"""The other side: transformers' `Seq2SeqTrainer` and `generate`, as they come and as an expert sets them.

An expert sorts sentences by length, merges an adapter before decoding, and on a GPU multiplies in bfloat16 and has a
process that prepares batches. Both have our schedule, label smoothing, clipping and moments of AdamW.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import nn
from transformers import (
    DataCollatorForSeq2Seq,
    DataCollatorWithPadding,
    PreTrainedConfig,
    PrinterCallback,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
)
from transformers.models.m2m_100.modeling_m2m_100 import shift_tokens_right

from benchmarks.cases import Case
from benchmarks.measure import Lap, Measurement, timed
from benchmarks.ours import FIRST, sentences_per_update
from mtpeft.core.options import DecodingOptions
from mtpeft.decoding.greedy import before_end
from mtpeft.decoding.search import length_limits
from mtpeft.models.load import device_here
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.training.batches import TrainingText
from mtpeft.training.optimizer import BETAS
from mtpeft.training.params import CellParams

BATCH_SIZES = (8, 16, 32, 64, 128, 256)
"""Sentences of a batch of `generate` among which the fastest is chosen; the first is what the Trainer has by itself."""


@dataclass(frozen=True)
class Setting:
    """How a user sets the Trainer.

    Attributes:
        expert: whether batches are grouped by length, and what else the module says of an expert.
    """

    expert: bool

    def arguments(self, params: CellParams, sentences: int, folder: str) -> Seq2SeqTrainingArguments:
        """Return the arguments of a training of so many sentence pairs an update."""
        optimisation, gpu = params.optimisation, device_here().type == "cuda"
        chosen: dict[str, Any] = {}
        if self.expert:
            chosen = {"train_sampling_strategy": "group_by_length", "optim": "adamw_torch_fused", "bf16": gpu}
            chosen["dataloader_num_workers"] = 2 if gpu else 0
        return Seq2SeqTrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=sentences,
            max_steps=optimisation.updates,
            learning_rate=optimisation.learning_rate,
            warmup_steps=max(1, round(optimisation.warmup * optimisation.updates)),
            label_smoothing_factor=optimisation.label_smoothing,
            weight_decay=optimisation.weight_decay,
            max_grad_norm=optimisation.clip_norm,
            adam_beta1=BETAS[0],
            adam_beta2=BETAS[1],
            seed=params.seed,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=not gpu,
            **chosen,
        )


class LapCallback(TrainerCallback):
    """Tells a lap of each update of the Trainer."""

    def __init__(self, lap: Lap) -> None:
        self.lap = lap

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Note the update."""
        self.lap.after(state.global_step)


@dataclass
class CountingCollator:
    """Makes batches and remembers how many tokens each has.

    Where a model does not shift its labels itself, as M2M-100 does not, label smoothing needs them shifted here.

    Attributes:
        collate: makes a batch.
        config: of the model.
        tokens: of the batches so far, padding left out.
        padded: the same with padding.
    """

    collate: DataCollatorForSeq2Seq
    config: PreTrainedConfig
    tokens: list[int] = field(default_factory=list)
    padded: list[int] = field(default_factory=list)

    def __call__(self, rows: Sequence[dict[str, list[int]]]) -> Any:
        """Make a batch."""
        batch = self.collate(rows)
        if "decoder_input_ids" not in batch:
            tokens = (self.config.pad_token_id, self.config.decoder_start_token_id)
            batch["decoder_input_ids"] = shift_tokens_right(batch["labels"], *tokens)
        self.tokens.append(sum(len(row["input_ids"]) + len(row["labels"]) for row in rows))
        self.padded.append(batch["input_ids"].numel() + batch["labels"].numel())
        return batch


def train(case: Case, lap: Lap, setting: Setting) -> Measurement:
    """Train a case with the Trainer and time a lap of it; the dev score, with our search, is taken after that."""
    params = case.params(lap.last)
    torch.set_num_threads(params.threads)
    model = case.untrained()
    text = case.text(case.special_tokens(model))
    sentences = sentences_per_update(text, params)
    collator = CountingCollator(DataCollatorForSeq2Seq(case.tokenizer(), model=model), model.config)
    with TemporaryDirectory() as folder:
        trainer = Seq2SeqTrainer(
            model=model,
            args=setting.arguments(params, sentences, folder),
            train_dataset=training_rows(text),
            data_collator=collator,
            callbacks=[LapCallback(lap)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    own = slice(*lap.updates)
    return lap.measured(
        sum(collator.tokens[own]),
        padding=1 - sum(collator.tokens[own]) / sum(collator.padded[own]),
        dev_score=case.dev_score(model),
        sentences=sentences,
    )


def training_rows(text: TrainingText) -> list[dict[str, list[int]]]:
    """Return the rows of a training subset as a dataset of the Trainer."""
    pairs = text.pairs
    return [{"input_ids": pairs.source[row].tolist(), "labels": pairs.target[row].tolist()} for row in text.rows]


@dataclass(frozen=True)
class Decoding:
    """What both ways of decoding need.

    Attributes:
        model: in evaluation mode.
        sources: sentences as tokens.
        options: of the search.
        special_tokens: of the model.
    """

    model: nn.Module
    sources: Sequence[torch.Tensor]
    options: DecodingOptions
    special_tokens: SpecialTokens

    @classmethod
    def of(cls, case: Case, tuned: Path, sentences: int, *, merged: bool) -> "Decoding":
        """Open a trained model with the first sentences of its test set."""
        params = case.params(1)
        torch.set_num_threads(params.threads)
        model = case.tuned(tuned)
        special = case.special_tokens(model)
        if merged and isinstance(model, PeftModel):
            model = model.merge_and_unload()
        return cls(model, case.sources()[:sentences], params.search, special)

    def keywords(self, rows: Sequence[int]) -> dict[str, Any]:
        """Return what `generate` is told for some sentences, whose longest limit is that of all."""
        lengths = np.array([len(self.sources[row]) for row in rows])
        begin = self.special_tokens.begin
        return {
            "num_beams": self.options.beam_size,
            "do_sample": False,
            "length_penalty": self.options.length_penalty,
            "max_new_tokens": int(length_limits(self.options, lengths, self.special_tokens).max()) + len(begin) - 1,
            "decoder_start_token_id": begin[0],
            **({"forced_bos_token_id": begin[1]} if begin[1:] else {}),
        }

    def words(self, output: Sequence[int]) -> list[int]:
        """Return the tokens of a hypothesis without the special ones at its ends, and without padding."""
        begin, end = len(self.special_tokens.begin), self.special_tokens.end
        kept = before_end(list(output)[begin:], end)
        return [token for token in kept if token not in (-100, self.special_tokens.pad)]


def predict(case: Case, tuned: Path, sentences: int, batch: int) -> Measurement:
    """Translate with `Seq2SeqTrainer.predict` in batches of so many sentences, in the order given."""
    given = Decoding.of(case, tuned, sentences, merged=False)
    tokenizer = case.tokenizer()
    rows = [{"input_ids": source.tolist()} for source in given.sources]
    keywords = given.keywords(range(len(rows)))
    with TemporaryDirectory() as folder:
        arguments = Seq2SeqTrainingArguments(
            output_dir=folder,
            per_device_eval_batch_size=batch,
            predict_with_generate=True,
            report_to="none",
            disable_tqdm=True,
            use_cpu=device_here().type == "cpu",
        )
        trainer = Seq2SeqTrainer(given.model, arguments, data_collator=DataCollatorWithPadding(tokenizer))

        def work(wanted: Sequence[dict[str, list[int]]]) -> tuple[int, dict[str, Any]]:
            output = trainer.predict(wanted, **keywords).predictions
            return len(wanted), {"hypotheses": [given.words(row) for row in output.tolist()], "batch": batch}

        work(rows[:FIRST])
        return timed(lambda: work(rows))


def generate(case: Case, tuned: Path, sentences: int, batch: int) -> Measurement:
    """Translate with `generate` in batches of so many sentences, sorted by length; an adapter is merged before."""
    given = Decoding.of(case, tuned, sentences, merged=True)

    @torch.inference_mode()
    def work(wanted: Sequence[torch.Tensor]) -> tuple[int, dict[str, Any]]:
        hypotheses: list[list[int]] = [[]] * len(wanted)
        for rows in in_batches(wanted, batch):
            ids, mask = padded_with_mask([wanted[row] for row in rows], given.special_tokens.pad)
            device = given.model.device
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                output = given.model.generate(
                    input_ids=ids.to(device), attention_mask=mask.to(device), **given.keywords(rows)
                )
            for row, tokens in zip(rows, output.tolist(), strict=True):
                hypotheses[row] = given.words(tokens)
        return len(hypotheses), {"hypotheses": hypotheses, "batch": batch}

    work(given.sources[:FIRST])
    return timed(lambda: work(given.sources))


def in_batches(sources: Sequence[torch.Tensor], size: int) -> Iterator[list[int]]:
    """Yield the rows of batches of so many sentences, the longest first, so that memory that fails does so at once."""
    ordered = sorted(range(len(sources)), key=lambda row: -len(sources[row]))
    yield from (ordered[start : start + size] for start in range(0, len(ordered), size))


def padded_with_mask(sources: Sequence[torch.Tensor], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return padded sentences and their attention mask."""
    ids = torch.nn.utils.rnn.pad_sequence([source.long() for source in sources], True, pad)
    lengths = torch.tensor([len(source) for source in sources])
    return ids, (torch.arange(ids.shape[1]) < lengths[:, None]).long()
