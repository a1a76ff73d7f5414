"""Evaluate a model on the dev set: its dev score during training, and that of a base model before any training.

Most methods change nothing at their start. Their cells take the base model's dev score from its record and do not
decode the dev set once more.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import nn

from mtpeft.cells import label_of
from mtpeft.cluster.preemption import interruptible
from mtpeft.core.checksums import require_whole
from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.options import DecodingOptions, EvaluationOptions
from mtpeft.core.provenance import Offload
from mtpeft.core.records import StartRecord
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.tsv import SentencePair, read_pairs
from mtpeft.decoding.first_translations import at_work, first_translations_lines
from mtpeft.decoding.search import translate
from mtpeft.methods.task_ids import set_task_ids
from mtpeft.metrics.chrf import corpus_chrf
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.offload import place
from mtpeft.models.precision import precision_of
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, detokenise, open_tokenizer, prompt_keys, special_tokens_of

Poll = Callable[[], None]
"""Is called as often as work can be stopped, and raises what stops it."""
Evaluate = Callable[[Poll], float]
"""Computes a dev score."""


@dataclass(frozen=True)
class DevSet:
    """The sentences of a dev set that are translated at each evaluation.

    Attributes:
        sources: their tokens.
        pairs: their text.
    """

    sources: Sequence[torch.Tensor]
    pairs: Sequence[SentencePair]

    @property
    def references(self) -> list[str]:
        """Their translations by people."""
        return [pair.target for pair in self.pairs]


def read_dev_set(arrays: Path, text: Path, sentences: int | None = None) -> DevSet:
    """Read a dev set, or a part of it: a smaller part is contained in a larger one.

    Args:
        arrays: token arrays of the dev set.
        text: text of the dev set.
        sentences: how many sentences; None for all.
    """
    dev, pairs = read_arrays(arrays).source, list(read_pairs(text))
    order = sorted(range(len(pairs)), key=lambda row: (hashlib.sha256(pairs[row].source.encode()).digest(), row))
    rows = sorted(order[:sentences])
    return DevSet([dev[row] for row in rows], [pairs[row] for row in rows])


def dev_chrf(
    model: nn.Module,
    options: DecodingOptions,
    *,
    dev: DevSet,
    tokenizer: PairTokenizer,
    special_tokens: SpecialTokens,
) -> Evaluate:
    """Return a function that computes the chrF of a model, as it is then, on a dev set.

    Args:
        model: sequence-to-sequence model.
        options: how hypotheses are searched.
        dev: the dev set.
        tokenizer: tokenizer of the model, set to the language pair.
        special_tokens: special tokens of the model.
    """
    references = dev.references
    return lambda poll: corpus_chrf(
        dev_hypotheses(model, options, dev=dev, tokenizer=tokenizer, special_tokens=special_tokens, poll=poll),
        references,
    )


def dev_hypotheses(
    model: nn.Module,
    options: DecodingOptions,
    *,
    dev: DevSet,
    tokenizer: PairTokenizer,
    special_tokens: SpecialTokens,
    poll: Poll,
) -> list[str]:
    """Translate a dev set with a model in evaluation mode."""
    return detokenise(tokenizer, translate(model, dev.sources, options, special_tokens=special_tokens, poll=poll))


def dev_search(search: DecodingOptions, evaluation: EvaluationOptions) -> DecodingOptions:
    """Return how hypotheses of the dev set are searched: as those of the test set, perhaps with another beam size."""
    return search.model_copy(update={"beam_size": evaluation.beam_size}) if evaluation.beam_size else search


def mean_over_pairs(model: nn.Module, evaluations: Sequence[Evaluate]) -> Evaluate:
    """Return a function that computes the mean of a model's dev scores on its language pairs, in their order."""

    def evaluate(poll: Poll) -> float:
        scores = []
        for task_id, evaluation in enumerate(evaluations):
            set_task_ids(model, task_id)
            scores.append(evaluation(poll))
        return fmean(scores)

    return evaluate


def evaluate_base(
    params: Mapping[str, Any],
    *,
    base: Path,
    dev: Path,
    dev_text: Path,
    record: Path,
    offload: Offload | None = None,
) -> None:
    """Write the dev score of an untouched base model, with some of its translations; prints them too.

    Args:
        params: `search`, `evaluation`, `languages`, `threads`, and the precision of the base model.
        base: the model's `base.json`.
        dev: token arrays of the dev set.
        dev_text: text of the dev set.
        record: `start/<pair>.json` of the model.
        offload: where the layers of the model lie until they run.

    Raises:
        DamagedError: the weights are not those that were taken in.
        TryAgainError: a signal has come, or the time limit is reached.
    """
    device = prepare_torch(params["threads"])
    described = require_whole(base)
    folder = Path(described["folder"])
    model = place(load_base(folder, precision_of(params, described["model"]), offload=offload), device).eval()
    tokenizer = open_tokenizer(
        folder, params["languages"], vocabulary=described["model"], **prompt_keys(described["params"])
    )
    special_tokens = special_tokens_of(tokenizer, model.config)
    evaluation = EvaluationOptions.model_validate(params.get("evaluation", {}))
    options = dev_search(DecodingOptions.model_validate(params["search"]), evaluation)
    read = read_dev_set(dev, dev_text, evaluation.sentences)
    with interruptible("reading the dev set") as poll:
        hypotheses = dev_hypotheses(
            model, options, dev=read, tokenizer=tokenizer, special_tokens=special_tokens, poll=poll
        )
    score = corpus_chrf(hypotheses, read.references)
    seen = at_work(
        [pair.source for pair in read.pairs],
        hypotheses,
        read.references,
        source_tokens=_pieces(tokenizer, read.sources[0].tolist()),
        begins_with=_pieces(tokenizer, special_tokens.begin),
        score=score,
    )
    print(*first_translations_lines(described["model"], label_of(record.stem), score, seen), sep="\n", flush=True)
    inputs = {"dev_sha256": sha256_of(dev), "dev_text_sha256": sha256_of(dev_text), "base_sha256": sha256_of(base)}
    content = StartRecord(params=dict(params), inputs=inputs, dev_score=score, at_work=seen)
    write_record(record, content.model_dump())


def _pieces(tokenizer: PairTokenizer, tokens: Sequence[int]) -> list[str]:
    """Return tokens as the vocabulary writes them; those that were added to it by their numbers."""
    known = tokenizer.pretrained.convert_ids_to_tokens(list(tokens))
    return [name if name is not None else f"<{token}>" for name, token in zip(known, tokens, strict=True)]
