"""The dev score of a model, and that of a base model before anything of it is trained.

Most methods change nothing at their start. Their cells take the base model's score from one record, and do not decode
the dev set once more.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from torch import nn

from mtpeft.cells import label_of
from mtpeft.cluster.preemption import stopping
from mtpeft.core.checksums import require_whole
from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.records import StartRecord
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.tsv import read_pairs
from mtpeft.decoding.first_translations import at_work, told
from mtpeft.decoding.search import Search, translate
from mtpeft.methods.task_ids import say_domains
from mtpeft.metrics.chrf import corpus_chrf
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.precision import frozen_in
from mtpeft.models.special_tokens import Frame
from mtpeft.models.tokenizer import Codec, frame_of, open_codec, text_of

Look = Callable[[], None]
"""Is called as often as something can be interrupted, and raises what ends it."""
Evaluate = Callable[[Look], float]
"""Gives a dev score."""


def dev_chrf(
    model: nn.Module, search: Mapping[str, Any], *, arrays: Path, text: Path, codec: Codec, frame: Frame
) -> Evaluate:
    """A function that gives the chrF of a model, as it is then, on a dev set."""
    references = [pair.target for pair in read_pairs(text)]
    hypotheses = dev_hypotheses(model, search, arrays=arrays, codec=codec, frame=frame)
    return lambda look: corpus_chrf(hypotheses(look), references)


def dev_hypotheses(
    model: nn.Module, search: Mapping[str, Any], *, arrays: Path, codec: Codec, frame: Frame
) -> Callable[[Look], list[str]]:
    """A function that gives the translations of a dev set by a model as it is then."""
    dev = read_arrays(arrays).source
    sources = [dev[row] for row in range(len(dev))]
    return lambda look: text_of(codec, translate(model, sources, Search(**search), frame=frame, look=look))


def mean_over_members(model: nn.Module, judges: Sequence[Evaluate]) -> Evaluate:
    """A function that gives the mean of a model's dev scores on the pairs that it is trained on, in their order."""

    def evaluate(look: Look) -> float:
        scores = []
        for member, judge in enumerate(judges):
            say_domains(model, member)
            scores.append(judge(look))
        return fmean(scores)

    return evaluate


def judge_base(settings: Mapping[str, Any], *, base: Path, dev: Path, dev_text: Path, record: Path) -> None:
    """Write the dev score of a base model as it is, with what it reads and writes; prints that too.

    Args:
        settings: `search`, `languages`, `threads`, and in what the base is held.
        base: the model's `base.json`.
        dev: token arrays of the dev set.
        dev_text: its text.
        record: where the record goes.

    Raises:
        DamagedError: the weights are not those that were taken in.
        TryAgainError: a signal came, or its time is over.
    """
    device = prepare_torch(settings["threads"])
    described = require_whole(base)
    folder = Path(described["folder"])
    model = load_base(folder, frozen_in(settings, described["model"])).to(device).eval()
    codec = open_codec(folder, settings["languages"], vocabulary=described["model"])
    frame = frame_of(codec, model.config)
    with stopping("reading the dev set") as look:
        hypotheses = dev_hypotheses(model, settings["search"], arrays=dev, codec=codec, frame=frame)(look)
    pairs = list(read_pairs(dev_text))
    references = [pair.target for pair in pairs]
    score = corpus_chrf(hypotheses, references)
    seen = at_work(
        [pair.source for pair in pairs],
        hypotheses,
        references,
        source_tokens=_named(codec, read_arrays(dev).source[0].tolist()),
        begins_with=_named(codec, frame.begin),
        score=score,
    )
    print(*told(described["model"], label_of(record.stem), score, seen), sep="\n", flush=True)
    inputs = {"dev_sha256": sha256_of(dev), "dev_text_sha256": sha256_of(dev_text), "base_sha256": sha256_of(base)}
    content = StartRecord(settings=dict(settings), inputs=inputs, dev_score=score, at_work=seen)
    write_record(record, content.model_dump())


def _named(codec: Codec, tokens: Sequence[int]) -> list[str]:
    """Tokens as the vocabulary writes them; those that were added to it by their numbers."""
    known = codec.tokenizer.convert_ids_to_tokens(list(tokens))
    return [name if name is not None else f"<{token}>" for name, token in zip(known, tokens, strict=True)]
