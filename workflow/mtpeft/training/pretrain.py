"""Pre-train an mBART model from random weights, by translation or by denoising, with the loop that fine-tunes cells."""

import itertools
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch.nn import functional

from mtpeft.cells import label_of
from mtpeft.core.checksums import require_whole
from mtpeft.core.errors import UserError
from mtpeft.core.files import canonical, new_folder, read_record, sha256_of, write_record
from mtpeft.core.provenance import PLAIN, Execution, describe, versions
from mtpeft.core.records import ModelRecord
from mtpeft.data.batch_layout import model_inputs
from mtpeft.data.token_arrays import IGNORED, TokenPairs, cut, read_arrays
from mtpeft.models.config_json import TRAINED_HERE
from mtpeft.models.families import read_shape
from mtpeft.models.load import parameters, prepare_torch, random_model
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import load_tokenizer
from mtpeft.training.attempt_log import FINISHED, attempting, state_folder
from mtpeft.training.batches import BatchOrder
from mtpeft.training.build_model import checkpoint_activations
from mtpeft.training.distributed import is_first, ranks, shard, whole_weights
from mtpeft.training.evaluate import Poll
from mtpeft.training.inherit import inheriting, open_teacher
from mtpeft.training.loop import TrainingPlan, TrainingRun, TrainingTask, train
from mtpeft.training.objective import LossOptions, likelihood

WARMUP, LABEL_SMOOTHING, WEIGHT_DECAY, CLIP_NORM, EVALUATIONS = 0.05, 0.1, 0.01, 1.0, 12
FIRST_WORD = 2
"""Position of the first word in what an mBART decoder reads, after the start token and the language token."""
NEVER = 2**62
"""Number of an update that is never reached."""
MASKED_SHARE = 0.35
"""Share of the tokens of a text that text infilling masks."""
SPAN_MEAN = 3.5
"""Mean of the Poisson distribution of span lengths; a span of length 0 inserts a mask."""

TokenPair = tuple[torch.Tensor, torch.Tensor]
"""Source and target tokens of a row."""


@dataclass(frozen=True)
class Noise:
    """Changes to the rows of a batch, which keep the model from learning a small corpus by heart.

    Attributes:
        infilling: the source is a text with masked spans, for denoising.
        joined: share of the batches in which rows are joined two by two.
        masked_source: share of the source tokens that become masks.
        masked_target: share of the tokens that become masks in what the decoder reads, not in what it must predict
            (word dropout, Bowman et al. 2016, arXiv 1511.06349).
        begin: first update with any of them except infilling.
    """

    infilling: bool
    joined: float
    masked_source: float
    masked_target: float
    begin: int


@dataclass(frozen=True)
class PretrainingParams:
    """Params of pre-training: everything besides the input files on which it depends.

    Attributes:
        plain: the JSON object that the rule gives, for records and checkpoints.
        config: keys of the model's config.json.
        rows: sentence pairs that are read of each language pair; None for all.
        updates: number of optimizer steps.
        learning_rate: peak learning rate.
        batch_tokens: most padded tokens of a batch, on its longer side.
        seed: of the weights, of the order of the batches, of dropout and of the noise.
        threads: torch's threads.
        noise: how batches are changed.
        inherit: weight of the divergence from the teacher, and number of the first update without it; None without a
            teacher.
    """

    plain: Mapping[str, Any]
    config: Mapping[str, Any]
    rows: int | None
    updates: int
    learning_rate: float
    batch_tokens: int
    seed: int
    threads: int
    noise: Noise
    inherit: tuple[float, int] | None = None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """Parse the params of a pre-training step."""
        noise = Noise(
            infilling=params["objective"] == "denoising",
            begin=round(params["noise"]["begin"] * params["updates"]),
            **{key: params["noise"][key] for key in ("joined", "masked_source", "masked_target")},
        )
        given = params.get("inherit")
        inherit = (given["weight"], round(given["until"] * params["updates"])) if given else None
        keys = ("config", "rows", "updates", "learning_rate", "batch_tokens", "seed", "threads")
        return cls(plain=params, noise=noise, inherit=inherit, **{key: params[key] for key in keys})


@dataclass(frozen=True)
class NoisyText:
    """Rows to train on, and how they are changed before the model reads them.

    Attributes:
        rows: source and target tokens of each row.
        noise: how a batch is changed.
        mask: token that replaces masked ones.
        special_tokens: special tokens of the model; the tokens of a row name its languages themselves.
        seed: of the noise, which otherwise depends on the update alone.
    """

    rows: Sequence[TokenPair]
    noise: Noise
    mask: int
    special_tokens: SpecialTokens
    seed: int

    def inputs(self, rows: Sequence[int], update: int) -> Mapping[str, torch.Tensor]:
        """Return the model inputs of a batch of rows."""
        rng = np.random.default_rng((self.seed, update))
        pairs = [self.rows[row] for row in rows]
        is_noisy = update >= self.noise.begin
        if is_noisy and rng.random() < self.noise.joined:
            pairs = join_rows(pairs, self.special_tokens.max_length)
        sources = [self._masked_source(source, rng, is_noisy=is_noisy) for source, _ in pairs]
        inputs = model_inputs(sources, [target for _, target in pairs], special_tokens=self.special_tokens)
        if is_noisy and self.noise.masked_target:
            read = inputs["decoder_input_ids"]
            masked = torch.from_numpy(rng.random(read.shape) < self.noise.masked_target) & (
                read != self.special_tokens.pad
            )
            masked[:, :FIRST_WORD] = False
            inputs = {**inputs, "decoder_input_ids": read.masked_fill(masked, self.mask)}
        return inputs

    def clean_inputs(self, rows: Sequence[int]) -> Mapping[str, torch.Tensor]:
        """Return the model inputs of a batch of dev rows: without noise, or with the same masked spans each time."""
        return replace(self, noise=replace(self.noise, begin=NEVER)).inputs(rows, int(rows[0]))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longer side of each row."""
        return np.array([max(len(source), len(target)) for source, target in self.rows])

    def _masked_source(self, source: torch.Tensor, rng: np.random.Generator, *, is_noisy: bool) -> torch.Tensor:
        if self.noise.infilling:
            inner = torch.from_numpy(infill(source[1:-1].numpy(), self.mask, rng)).to(source.dtype)
            return torch.cat([source[:1], inner, source[-1:]])
        if is_noisy and self.noise.masked_source:
            return mask_tokens(source, self.noise.masked_source, self.mask, rng)
        return source


def pretrain(
    params: Mapping[str, Any],
    *,
    tokenizer: Path,
    train_arrays: Sequence[Path],
    dev_arrays: Sequence[Path],
    record: Path,
    teacher: Path | None = None,
    execution: Execution = PLAIN,
) -> None:
    """Train and write `checkpoint/` beside the record: a Hugging Face folder with the tokenizer in it.

    Args:
        params: of the pre-training.
        tokenizer: folder of the tokenizer.
        train_arrays: token arrays of the pre-training text of each language pair.
        dev_arrays: token arrays of the dev set of each language pair.
        record: `base.json` of the model.
        teacher: `base.json` of the model that it inherits from, where the params say so.
        execution: how it runs.

    Raises:
        UserError: training has diverged, so there is no base model to tune, or the teacher has another vocabulary.
        TryAgainError: training was stopped early, with its state saved, or another process trains this model.
    """
    parsed, state = PretrainingParams.of(params), state_folder(record)
    with attempting(state) as attempt:
        device = prepare_torch(parsed.threads)
        opened = load_tokenizer(tokenizer)
        model, total = _random_model(parsed, device)
        if execution.gradient_checkpointing:
            checkpoint_activations(model)
        if execution.sharded:
            shard(model)
        texts = (
            _noisy_text(parsed, train_arrays, mask=opened.mask_token_id, rows=parsed.rows),
            _noisy_text(parsed, dev_arrays, mask=opened.mask_token_id, rows=None),
        )
        inputs = [sha256_of(file) for file in (*train_arrays, *dev_arrays)]
        task = _task(parsed, model, *texts, inputs=inputs, execution=execution)
        key = f"models.{label_of(record.parent.name)}.pretrain"
        if teacher and parsed.inherit:
            task = _inheriting(parsed, task, opened, teacher=teacher, key=f"{key}.inherit.model")
        run = train(task, _plan(parsed), state_folder=state, preemption=attempt.preemption)
        if run.status == "diverged":
            raise UserError(
                f"Pre-training has diverged at update {run.step} of {parsed.updates}; write a smaller rate than "
                f"{parsed.learning_rate} in '{key}.learning_rate'."
            )
        with whole_weights(model) as options:
            if not is_first():
                return
            _save(model, opened, record.parent / "checkpoint", **options)
        described = describe(str(device), parsed.threads)
        described |= {"processes": ranks().count, "micro_batch_tokens": run.micro_batch_tokens}
        described |= {"attempts": attempt.end(FINISHED)}
        _write_record(params, run, total, execution=described, record=record, teacher=teacher)
        shutil.rmtree(state, ignore_errors=True)


def _random_model(params: PretrainingParams, device: torch.device) -> tuple[torch.nn.Module, int]:
    """Make the model with random weights, and count its parameters, which must be as many as its config says."""
    model = random_model(params.config, seed=params.seed).to(device)
    total = parameters(model)[0]
    if total != read_shape(params.config).total:
        raise AssertionError(f"the model has {total} parameters, which is not what its configuration adds up to")
    return model, total


def _task(
    params: PretrainingParams,
    model: torch.nn.Module,
    text: NoisyText,
    dev: NoisyText,
    *,
    inputs: Sequence[str],
    execution: Execution,
) -> TrainingTask:
    order = BatchOrder(text.lengths, params.batch_tokens, params.seed)
    return TrainingTask(
        model=model,
        batch=lambda update: text.inputs(order.rows(update), update),
        evaluate=lambda poll: -mean_loss(model, dev, params.batch_tokens, poll=poll),
        identity=canonical({"params": params.plain, "inputs": list(inputs)}),
        execution=execution,
    )


def _inheriting(
    params: PretrainingParams, task: TrainingTask, tokenizer: Any, *, teacher: Path, key: str
) -> TrainingTask:
    """Return the task with a teacher, who is asked in its first updates alone, and whom a checkpoint must name."""
    assert params.inherit is not None
    weight, first_without = params.inherit
    longest = params.config["max_position_embeddings"]
    folder = Path(require_whole(teacher)["folder"])
    model = open_teacher(folder, tokenizer, max_positions=longest, device=task.model.device, key=key)
    inherited = inheriting(model, weight)
    return replace(
        task,
        objective=lambda update: inherited if update < first_without else likelihood,
        identity=f"{task.identity}\n{sha256_of(teacher)}",
    )


def _plan(params: PretrainingParams) -> TrainingPlan:
    return TrainingPlan(
        updates=params.updates,
        learning_rate=params.learning_rate,
        warmup=WARMUP,
        loss=LossOptions(LABEL_SMOOTHING),
        weight_decay=WEIGHT_DECAY,
        clip_norm=CLIP_NORM,
        evaluations=EVALUATIONS,
        seed=params.seed,
    )


@torch.inference_mode()
def mean_loss(model: torch.nn.Module, text: NoisyText, batch_tokens: int, *, poll: Poll) -> float:
    """Compute the negative log-likelihood per target token, in nats.

    Args:
        model: in evaluation mode.
        text: dev rows.
        batch_tokens: padded tokens of a batch.
        poll: is called before each batch, and may raise what stops the evaluation.
    """
    total = tokens = 0.0
    lengths = text.lengths
    for rows in cut(np.arange(len(lengths)), lengths, batch_tokens):
        poll()
        inputs = {name: tensor.to(model.device) for name, tensor in text.clean_inputs(rows).items()}
        labels = inputs.pop("labels").flatten()
        logits = model(**inputs, use_cache=False).logits.flatten(0, 1).float()
        total += functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum").item()
        tokens += int((labels != IGNORED).sum())
    return total / max(1.0, tokens)


def _noisy_text(params: PretrainingParams, arrays: Sequence[Path], *, mask: int, rows: int | None) -> NoisyText:
    """Read the rows of all language pairs; for denoising every distinct sentence of either side."""
    parts = [read_arrays(file) for file in arrays]
    pairs = [pair for place, part in enumerate(parts) for pair in stretch(part, rows, place / len(parts))]
    chosen = distinct_sides(pairs) if params.noise.infilling else pairs
    return NoisyText(chosen, params.noise, mask, special_tokens=_frame(params.config), seed=params.seed)


def _frame(config: Mapping[str, Any]) -> SpecialTokens:
    return SpecialTokens(
        pad=config["pad_token_id"],
        end=config["eos_token_id"],
        begin=(config["decoder_start_token_id"],),
        max_length=config["max_position_embeddings"],
    )


def stretch(part: TokenPairs, count: int | None, begin: float) -> list[TokenPair]:
    """Return consecutive rows of a language pair, from a share of it on; after its end they go on at its beginning.

    Language pairs of a corpus have its sentences in the same order, so those that begin elsewhere read other sentences.

    Args:
        part: token arrays of the language pair.
        count: number of rows; None for all.
        begin: share of the rows before the first one.
    """
    total = len(part.source)
    first = int(begin * total)
    chosen = [(first + row) % total for row in range(min(count or total, total))]
    return [(part.source[row], part.target[row]) for row in chosen]


def distinct_sides(pairs: Sequence[TokenPair]) -> list[TokenPair]:
    """Return every distinct sentence of either side, as its own target."""
    distinct = {tuple(tokens.tolist()): tokens for tokens in itertools.chain.from_iterable(pairs)}
    return [(tokens, tokens) for _, tokens in sorted(distinct.items())]


def infill(tokens: np.ndarray, mask: int, rng: np.random.Generator) -> np.ndarray:
    """Replace spans of tokens by one mask each, until about 35 % of the tokens are gone.

    This is the noise of BART (arXiv 1910.13461) and mBART (arXiv 2001.08210).

    Args:
        tokens: a sequence without its special tokens.
        mask: the token that replaces a span.
        rng: random numbers of the spans.
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
    """Replace about a share of the tokens by masks, but never the first and the last token."""
    chosen = torch.from_numpy(rng.random(len(tokens)) < share)
    chosen[[0, -1]] = False
    return tokens.masked_fill(chosen, mask)


def join_rows(rows: Sequence[TokenPair], max_length: int) -> list[TokenPair]:
    """Join each two neighbouring rows of the same languages, where the result has at most `max_length` tokens."""
    joined: list[TokenPair] = []
    waiting: dict[tuple[int, int], TokenPair] = {}
    for source, target in rows:
        languages = (int(source[0]), int(target[0]))
        first = waiting.pop(languages, None)
        if first is None:
            waiting[languages] = (source, target)
            continue
        both = (_joined(first[0], source), _joined(first[1], target))
        joined += [both] if max(map(len, both)) <= max_length else [first, (source, target)]
    return [*joined, *waiting.values()]


def _joined(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return torch.cat([first[:-1], second[1:]])


def _save(model: Any, tokenizer: Any, folder: Path, **options: Any) -> None:
    """Write the folder under another name first, so that it is there whole or not at all."""
    with new_folder(folder) as temporary:
        model.save_pretrained(temporary, **options)
        tokenizer.save_pretrained(temporary)


def _write_record(
    params: Mapping[str, Any],
    run: TrainingRun,
    total: int,
    *,
    execution: Mapping[str, Any],
    record: Path,
    teacher: Path | None,
) -> None:
    folder = record.parent / "checkpoint"
    taught_by = read_record(teacher) if teacher else {}
    content = ModelRecord(
        model=label_of(record.parent.name),
        folder=str(folder),
        params=dict(params),
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
        origin={"teacher": taught_by["model"], "teacher_sha256": sha256_of(teacher)} if teacher else {},
        exposure=_exposure(taught_by.get("exposure", TRAINED_HERE)),
    )
    write_record(record, content.model_dump())


def _exposure(of_teacher: str) -> str:
    """Say what the model may have read of test sets, by itself or through its teacher."""
    return TRAINED_HERE if of_teacher == TRAINED_HERE else f"{TRAINED_HERE}; of its teacher: {of_teacher}"
