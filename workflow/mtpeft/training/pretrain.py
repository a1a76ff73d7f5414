"""Pre-train an mBART model from nothing, by translation or by denoising, with the engine that fine-tunes cells."""

import itertools
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mtpeft.cells import label_of
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, publish_folder, sha256_of, write_record
from mtpeft.core.provenance import PLAIN, Execution, describe, versions
from mtpeft.core.records import ModelRecord
from mtpeft.data.token_arrays import IGNORED, TokenPairs, cut, model_inputs, read_arrays
from mtpeft.models.config_json import TRAINED_HERE
from mtpeft.models.families import read_shape
from mtpeft.models.load import parameters, prepare_torch, random_model
from mtpeft.models.special_tokens import Frame
from mtpeft.models.tokenizer import load_tokenizer
from mtpeft.training.attempt_log import FINISHED, attempting, state_of
from mtpeft.training.batches import BatchOrder
from mtpeft.training.distributed import is_first, ranks, shard, whole_weights
from mtpeft.training.loop import Plan, Run, Task, train

WARMUP, LABEL_SMOOTHING, WEIGHT_DECAY, CLIP_NORM, EVALUATIONS = 0.05, 0.1, 0.01, 1.0, 12
FIRST_WORD = 2
"""The decoder reads the start token and the language before it reads a word."""
NEVER = 2**62
MASKED_SHARE = 0.35
SPAN_MEAN = 3.5
"""Mean of the Poisson distribution of span lengths; a span of length 0 inserts a mask."""
TokenPair = tuple[torch.Tensor, torch.Tensor]
Rows = Sequence[TokenPair]


@dataclass(frozen=True)
class Noise:
    """How the rows of a batch are changed, all of it against learning a small corpus by heart.

    Attributes:
        infilling: the source is a text whose spans are masked, for denoising.
        joined: share of the batches in which rows are joined two by two.
        masked_source: share of the source's tokens that become masks.
        masked_target: share of the tokens that become masks in what the decoder reads, not in what it must say
            (word dropout, Bowman et al. 2016, arXiv 1511.06349).
        begin: first update with any of them but infilling.
    """

    infilling: bool
    joined: float
    masked_source: float
    masked_target: float
    begin: int


@dataclass(frozen=True)
class Text:
    """Sequences to train on, and what is done to them before the model sees them.

    Attributes:
        rows: source and target tokens of each row.
        noise: what is done to a batch.
        mask: the token that stands for what is hidden.
        frame: of the model; a row says its language itself.
        seed: of the noise, which else depends on the update alone.
    """

    rows: Rows
    noise: Noise
    mask: int
    frame: Frame
    seed: int

    def inputs(self, rows: Sequence[int], update: int) -> Mapping[str, torch.Tensor]:
        """Model inputs of a batch of rows."""
        rng = np.random.default_rng((self.seed, update))
        pairs = [self.rows[row] for row in rows]
        noisy = update >= self.noise.begin
        if noisy and rng.random() < self.noise.joined:
            pairs = join_rows(pairs, self.frame.longest)
        sources = [self._hide(source, rng, noisy=noisy) for source, _ in pairs]
        inputs = model_inputs(sources, [target for _, target in pairs], frame=self.frame)
        if noisy and self.noise.masked_target:
            read = inputs["decoder_input_ids"]
            hidden = torch.from_numpy(rng.random(read.shape) < self.noise.masked_target) & (read != self.frame.pad)
            hidden[:, :FIRST_WORD] = False
            inputs = {**inputs, "decoder_input_ids": read.masked_fill(hidden, self.mask)}
        return inputs

    def clean_inputs(self, rows: Sequence[int]) -> Mapping[str, torch.Tensor]:
        """Model inputs of a batch of dev rows: as they are, or with the same spans masked each time."""
        return replace(self, noise=replace(self.noise, begin=NEVER)).inputs(rows, int(rows[0]))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longer side of each row."""
        return np.array([max(len(source), len(target)) for source, target in self.rows])

    def _hide(self, source: torch.Tensor, rng: np.random.Generator, *, noisy: bool) -> torch.Tensor:
        if self.noise.infilling:
            inner = torch.from_numpy(infill(source[1:-1].numpy(), self.mask, rng)).to(source.dtype)
            return torch.cat([source[:1], inner, source[-1:]])
        if noisy and self.noise.masked_source:
            return mask_tokens(source, self.noise.masked_source, self.mask, rng)
        return source


def pretrain(
    settings: Mapping[str, Any],
    *,
    tokenizer: Path,
    train_arrays: Sequence[Path],
    dev_arrays: Sequence[Path],
    record: Path,
    execution: Execution = PLAIN,
) -> None:
    """Train and write `checkpoint/` beside the record: a Hugging Face folder with the tokenizer in it.

    Raises:
        UserError: training has diverged, so there is no base model to tune.
        TryAgainError: stopped early, with the state saved, or somebody else trains this model.
    """
    state = state_of(record)
    with attempting(state) as attempt:
        device = prepare_torch(settings["threads"])
        loaded = load_tokenizer(tokenizer)
        model, total = _random_model(settings, device)
        if execution.sharded:
            shard(model)
        task = _task(settings, model, loaded, train_arrays, dev_arrays=dev_arrays, execution=execution)
        run = train(task, _plan(settings), state_folder=state, clock=attempt.clock)
        if run.status == "diverged":
            raise UserError(
                f"Pre-training has diverged at update {run.step} of {settings['updates']}; write a smaller rate than "
                f"{settings['learning_rate']} in 'models.{label_of(record.parent.name)}.pretrain.learning_rate'."
            )
        with whole_weights(model) as told:
            if not is_first():
                return
            _save(model, loaded, record.parent / "checkpoint", **told)
        described = describe(str(device), settings["threads"])
        described |= {"processes": ranks().count, "micro_batch_tokens": run.micro_batch_tokens}
        described |= {"attempts": attempt.end(FINISHED)}
        _write_record(settings, run, total, execution=described, record=record)
        shutil.rmtree(state, ignore_errors=True)


def _random_model(settings: Mapping[str, Any], device: torch.device) -> tuple[torch.nn.Module, int]:
    """The model with random weights, and how many parameters it has, which is what its configuration adds up to."""
    model = random_model(settings["config"], seed=settings["seed"]).to(device)
    total = parameters(model)[0]
    if total != read_shape(settings["config"]).total:
        raise AssertionError(f"the model has {total} parameters, which is not what its configuration adds up to")
    return model, total


def _task(
    settings: Mapping[str, Any],
    model: torch.nn.Module,
    tokenizer: Any,
    train_arrays: Sequence[Path],
    *,
    dev_arrays: Sequence[Path],
    execution: Execution,
) -> Task:
    text, dev = (
        _text(told, [read_arrays(file) for file in files], tokenizer.mask_token_id)
        for told, files in ((settings, train_arrays), ({**settings, "rows": None}, dev_arrays))
    )
    order = BatchOrder(text.lengths, settings["batch_tokens"], settings["seed"])
    inputs = [sha256_of(file) for file in (*train_arrays, *dev_arrays)]
    return Task(
        model=model,
        batch=lambda update: text.inputs(order.rows(update), update),
        evaluate=lambda look: -mean_loss(model, dev, settings["batch_tokens"], look=look),
        identity=canonical({"settings": settings, "inputs": inputs}),
        execution=execution,
    )


def _plan(settings: Mapping[str, Any]) -> Plan:
    return Plan(
        updates=settings["updates"],
        learning_rate=settings["learning_rate"],
        warmup=WARMUP,
        label_smoothing=LABEL_SMOOTHING,
        weight_decay=WEIGHT_DECAY,
        clip_norm=CLIP_NORM,
        evaluations=EVALUATIONS,
        seed=settings["seed"],
    )


@torch.inference_mode()
def mean_loss(model: torch.nn.Module, text: Text, batch_tokens: int, *, look: Callable[[], None]) -> float:
    """Negative log-likelihood per target token, in nats; between batches `look` may end it with an error of its own."""
    total = tokens = 0.0
    lengths = text.lengths
    for rows in cut(np.arange(len(lengths)), lengths, batch_tokens):
        look()
        inputs = {name: tensor.to(model.device) for name, tensor in text.clean_inputs(rows).items()}
        labels = inputs.pop("labels").flatten()
        logits = model(**inputs, use_cache=False).logits.flatten(0, 1).float()
        total += functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum").item()
        tokens += int((labels != IGNORED).sum())
    return total / max(1.0, tokens)


def _text(settings: Mapping[str, Any], parts: Sequence[TokenPairs], mask: int) -> Text:
    noise = Noise(
        infilling=settings["objective"] == "denoising",
        begin=round(settings["noise"]["begin"] * settings["updates"]),
        **{key: settings["noise"][key] for key in ("joined", "masked_source", "masked_target")},
    )
    pairs = [pair for place, part in enumerate(parts) for pair in stretch(part, settings["rows"], place / len(parts))]
    rows = distinct_sides(pairs) if noise.infilling else pairs
    return Text(rows, noise, mask, frame=_frame(settings["config"]), seed=settings["seed"])


def _frame(config: Mapping[str, Any]) -> Frame:
    return Frame(
        pad=config["pad_token_id"],
        end=config["eos_token_id"],
        begin=(config["decoder_start_token_id"],),
        longest=config["max_position_embeddings"],
    )


def stretch(part: TokenPairs, count: int | None, begin: float) -> list[TokenPair]:
    """So many consecutive rows of a part, or all of them, from a share of it on, and on at its beginning after its end.

    Parts have the sentences of a corpus in the same order, so pairs that begin elsewhere read other sentences.
    """
    total = len(part.source)
    first = int(begin * total)
    chosen = [(first + row) % total for row in range(min(count or total, total))]
    return [(part.source[row], part.target[row]) for row in chosen]


def distinct_sides(pairs: Sequence[TokenPair]) -> list[TokenPair]:
    """Every distinct sentence of either side, as its own target."""
    distinct = {tuple(tokens.tolist()): tokens for tokens in itertools.chain.from_iterable(pairs)}
    return [(tokens, tokens) for _, tokens in sorted(distinct.items())]


def infill(tokens: np.ndarray, mask: int, rng: np.random.Generator) -> np.ndarray:
    """Replace spans of tokens by one mask each, until about 35 % of the tokens are gone.

    The noise of BART (arXiv 1910.13461) and mBART (arXiv 2001.08210).

    Args:
        tokens: a sequence without its special tokens.
        mask: the token that stands for a span.
        rng: source of the spans.
    """
    to_mask = round(MASKED_SHARE * len(tokens))
    pieces = list(tokens)
    while to_mask > 0:
        length = min(int(rng.poisson(SPAN_MEAN)), to_mask, len(pieces))
        start = int(rng.integers(0, len(pieces) - length + 1))
        pieces[start : start + length] = [mask]
        to_mask -= max(1, length)
    return np.array(pieces, dtype=tokens.dtype)


def mask_tokens(tokens: torch.Tensor, share: float, mask: int, rng: np.random.Generator) -> torch.Tensor:
    """Replace about a share of the tokens by masks, never the first and the last one."""
    chosen = torch.from_numpy(rng.random(len(tokens)) < share)
    chosen[[0, -1]] = False
    return tokens.masked_fill(chosen, mask)


def join_rows(rows: Sequence[TokenPair], longest: int) -> list[TokenPair]:
    """Join each two neighbours that share both languages: [language] x y </s>; `longest` bounds the result."""
    joined: list[TokenPair] = []
    waiting: dict[tuple[int, int], TokenPair] = {}
    for source, target in rows:
        languages = (int(source[0]), int(target[0]))
        first = waiting.pop(languages, None)
        if first is None:
            waiting[languages] = (source, target)
            continue
        both = (_joined(first[0], source), _joined(first[1], target))
        joined += [both] if max(map(len, both)) <= longest else [first, (source, target)]
    return [*joined, *waiting.values()]


def _joined(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return torch.cat([first[:-1], second[1:]])


def _save(model: Any, tokenizer: Any, folder: Path, **told: Any) -> None:
    """Write the folder under another name first: it is there whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary, **told)
    tokenizer.save_pretrained(temporary)
    publish_folder(temporary, folder)


def _write_record(
    settings: Mapping[str, Any], run: Run, total: int, *, execution: Mapping[str, Any], record: Path
) -> None:
    folder = record.parent / "checkpoint"
    content = ModelRecord(
        model=label_of(record.parent.name),
        folder=str(folder),
        settings=dict(settings),
        execution=dict(execution),
        versions=versions(),
        total_parameters=total,
        sha256={file.name: sha256_of(file) for file in sorted(folder.iterdir())},
        training={
            "best_step": run.best_step,
            "dev_history": run.history,
            "seconds": round(run.seconds, 1),
            "target_tokens": run.tokens,
            "starts": run.starts,
        },
        exposure=TRAINED_HERE,
    )
    write_record(record, content.model_dump())
