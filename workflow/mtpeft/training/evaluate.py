"""Evaluate a model on the dev set: its dev score during training, and that of a base model before any training.

Most methods change nothing at their start. Their cells take the base model's dev score from its record and do not
decode the dev set once more.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from torch import nn

from mtpeft.cells import label_of
from mtpeft.cluster.preemption import interruptible
from mtpeft.core.checksums import require_whole
from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.core.records import StartRecord
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.tsv import read_pairs
from mtpeft.decoding.first_translations import at_work, first_translations_lines
from mtpeft.decoding.search import translate
from mtpeft.methods.task_ids import set_task_ids
from mtpeft.metrics.chrf import corpus_chrf
from mtpeft.models.load import load_base, prepare_torch
from mtpeft.models.precision import precision_of
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, detokenise, open_tokenizer, special_tokens_of

Poll = Callable[[], None]
"""Is called as often as work can be stopped, and raises what stops it."""
Evaluate = Callable[[Poll], float]
"""Computes a dev score."""


def dev_chrf(
    model: nn.Module,
    options: DecodingOptions,
    *,
    arrays: Path,
    text: Path,
    tokenizer: PairTokenizer,
    special_tokens: SpecialTokens,
) -> Evaluate:
    """Return a function that computes the chrF of a model, as it is then, on a dev set.

    Args:
        model: sequence-to-sequence model.
        options: how hypotheses are searched.
        arrays: token arrays of the dev set.
        text: text of the dev set.
        tokenizer: tokenizer of the model, set to the language pair.
        special_tokens: special tokens of the model.
    """
    references = [pair.target for pair in read_pairs(text)]
    return lambda poll: corpus_chrf(
        dev_hypotheses(model, options, arrays=arrays, tokenizer=tokenizer, special_tokens=special_tokens, poll=poll),
        references,
    )


def dev_hypotheses(
    model: nn.Module,
    options: DecodingOptions,
    *,
    arrays: Path,
    tokenizer: PairTokenizer,
    special_tokens: SpecialTokens,
    poll: Poll,
) -> list[str]:
    """Translate a dev set with a model in evaluation mode."""
    dev = read_arrays(arrays).source
    sources = [dev[row] for row in range(len(dev))]
    return detokenise(tokenizer, translate(model, sources, options, special_tokens=special_tokens, poll=poll))


def mean_over_pairs(model: nn.Module, evaluations: Sequence[Evaluate]) -> Evaluate:
    """Return a function that computes the mean of a model's dev scores on its language pairs, in their order."""

    def evaluate(poll: Poll) -> float:
        scores = []
        for task_id, evaluation in enumerate(evaluations):
            set_task_ids(model, task_id)
            scores.append(evaluation(poll))
        return fmean(scores)

    return evaluate


def evaluate_base(params: Mapping[str, Any], *, base: Path, dev: Path, dev_text: Path, record: Path) -> None:
    """Write the dev score of an untouched base model, with some of its translations; prints them too.

    Args:
        params: `search`, `languages`, `threads`, and the precision of the base model.
        base: the model's `base.json`.
        dev: token arrays of the dev set.
        dev_text: text of the dev set.
        record: `start/<pair>.json` of the model.

    Raises:
        DamagedError: the weights are not those that were taken in.
        TryAgainError: a signal has come, or the time limit is reached.
    """
    device = prepare_torch(params["threads"])
    described = require_whole(base)
    folder = Path(described["folder"])
    model = load_base(folder, precision_of(params, described["model"])).to(device).eval()
    tokenizer = open_tokenizer(folder, params["languages"], vocabulary=described["model"])
    special_tokens = special_tokens_of(tokenizer, model.config)
    options = DecodingOptions.model_validate(params["search"])
    with interruptible("reading the dev set") as poll:
        hypotheses = dev_hypotheses(
            model, options, arrays=dev, tokenizer=tokenizer, special_tokens=special_tokens, poll=poll
        )
    pairs = list(read_pairs(dev_text))
    references = [pair.target for pair in pairs]
    score = corpus_chrf(hypotheses, references)
    seen = at_work(
        [pair.source for pair in pairs],
        hypotheses,
        references,
        source_tokens=_pieces(tokenizer, read_arrays(dev).source[0].tolist()),
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
