"""Decode the test sets with the tuned model of a cell."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtpeft.cells import ANY, Cell
from mtpeft.cluster.preemption import interruptible
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.files import read_lines
from mtpeft.core.options import DecodingOptions, InferenceOptions
from mtpeft.core.provenance import describe
from mtpeft.core.warnings import warn
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.token_counts import Counts, loss_warnings, read_counts
from mtpeft.data.tsv import SentencePair, read_pairs
from mtpeft.decoding.ctranslate2_engine import open_engine
from mtpeft.decoding.hypotheses import DecodingOutcome, write_decode_record, write_hypotheses
from mtpeft.decoding.in_context import chooser, matches_before, prompted
from mtpeft.decoding.search import (
    BATCH_TOKENS,
    count_at_limit,
    search_in_batches,
    search_with,
    with_room_beside_prefix,
)
from mtpeft.methods import bring_in_for
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.task_ids import set_task_ids, task_id_of
from mtpeft.models.computation import warn_of_slow_precision
from mtpeft.models.load import prepare_torch
from mtpeft.models.precision import precision_of
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, detokenise, encode, losses, open_tokenizer, special_tokens_of

UNLIMITED = 1_000_000
"""Tokens that no sentence has: nothing is truncated."""


@dataclass(frozen=True)
class Memory:
    """The examples of in-context learning.

    Attributes:
        text: training text of the language pair.
        subset: rows of it that the cell reads.
    """

    text: Path
    subset: Path

    def pairs(self) -> list[SentencePair]:
        """Return the sentence pairs of the subset."""
        rows = read_pairs(self.text)
        return [rows[int(line)] for line in read_lines(self.subset)]


@dataclass(frozen=True)
class ToTranslate:
    """The sources of a test set as the model reads them.

    Attributes:
        sources: tokens of each.
        counts: counts of the tokens of both sides.
        more: what else the record says of them.
    """

    sources: Sequence[torch.Tensor]
    counts: Mapping[str, Counts]
    more: Mapping[str, Any]


def decode(
    params: Mapping[str, Any],
    cell: Cell,
    *,
    trained: Path,
    tests: Mapping[str, Path],
    record: Path,
    examples: Memory | None = None,
) -> None:
    """Write the hypotheses of each test set into `hypotheses/`, one a line, and the record.

    Args:
        params: `search`, `inference`, `languages`, `threads`, and the precision of the base model.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        tests: token arrays of each test set, by its name; their text where there are examples.
        record: `decode.json`; that of a cell on several pairs lies in a folder with the label of the pair.
        examples: that stand before each source, for in-context learning.

    Raises:
        UserError: the engine that is asked for is not there, or can't translate with this model.
        DamagedError: the weights are not those that were trained, or the base model's not those that were taken in.
        TryAgainError: a signal has come, or the time limit is reached.
    """
    train = require_whole(trained)
    bring_in_for(train["params"]["method"])
    device = prepare_torch(params["threads"])
    base = Path(require_base(train)["folder"])
    tokenizer = open_tokenizer(base, params["languages"], vocabulary=cell.model)
    precision, inference = precision_of(params, cell.model), InferenceOptions.of(params)
    options = DecodingOptions.model_validate(params["search"])
    model = open_tuned(base, trained.parent / "tuned", precision).eval()
    if inference.without_adapters and hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload().eval()
    set_task_ids(model, task_id_of(train["params"], record.parent.name))
    special_tokens = with_room_beside_prefix(special_tokens_of(tokenizer, model.config), model)
    if inference.engine == "ctranslate2":
        search = open_engine(
            model,
            options,
            tokenizer=tokenizer,
            special_tokens=special_tokens,
            bits=inference.quantised,
            device=device,
            threads=params["threads"],
            scratch=record.parent,
        )
    else:
        search = search_with(model.to(device), options, special_tokens=special_tokens)
    del model
    own = train["params"]["method"]
    read_test = partial(_with_examples, own, cell, examples, tokenizer, special_tokens) if examples else _as_encoded
    used = time.process_time()
    started, done, described = time.monotonic(), 0, {}
    warn_of_slow_precision("decoding.precision", options.precision, device)
    with interruptible("decoding") as poll:
        for name, arrays in tests.items():
            read = read_test(arrays)
            hypotheses = search_in_batches(
                search,
                read.sources,
                options,
                special_tokens=special_tokens,
                batch_tokens=BATCH_TOKENS[device.type],
                poll=poll,
            )
            lines = detokenise(tokenizer, hypotheses)
            lengths = np.array([len(source) for source in read.sources])
            ended = count_at_limit(options, hypotheses, lengths, special_tokens)
            counted = {side: asdict(own) for side, own in read.counts.items()}
            described[name] = write_hypotheses(record.parent, name, lines, at_limit=ended, tokens=counted, **read.more)
            warn(loss_warnings(read.counts, f"test set '{name}' of {record.parent}"))
            done += len(lines)
    outcome = DecodingOutcome(
        test_sets=described,
        seconds=time.monotonic() - started,
        sentences=done,
        execution=describe(str(device), params["threads"]),
        packages=(*precision.packages, *inference.packages),
        processor_seconds=time.process_time() - used,
    )
    write_decode_record(params, cell, outcome, trained=trained, record=record)


def _as_encoded(arrays: Path) -> ToTranslate:
    """Read the sources of a test set that was encoded before."""
    source = read_arrays(arrays).source
    return ToTranslate([source[row] for row in range(len(source))], read_counts(arrays), {})


def _with_examples(
    method: Mapping[str, Any],
    cell: Cell,
    examples: Memory,
    tokenizer: PairTokenizer,
    special_tokens: SpecialTokens,
    text: Path,
) -> ToTranslate:
    """Read the sources of a test set, and put examples of the training text before them."""
    most, rows = special_tokens.max_length, read_pairs(text)
    choose = chooser(method["choose"], method["shots"], seed=0 if cell.seed == ANY else int(cell.seed))
    read = prompted(
        [row.source for row in rows],
        examples.pairs(),
        choose,
        join=matches_before,
        length=lambda source: len(encode(tokenizer, [source], "source", max_length=UNLIMITED)[0]),
        max_length=most,
    )
    (empty,) = encode(tokenizer, [""], "source", max_length=most)
    sources = encode(tokenizer, read.sources, "source", max_length=most)
    targets = encode(tokenizer, [row.target for row in rows], "target", max_length=most)
    lost = {
        "source": list(losses(tokenizer, read.sources, sources, "source", max_length=most)),
        "target": list(losses(tokenizer, [row.target for row in rows], targets, "target", max_length=most)),
    }
    (no_target,) = encode(tokenizer, [""], "target", max_length=most)
    counts = {
        side: Counts(
            sentences=len(own),
            tokens=sum(map(len, own)) - len(around) * len(own),
            truncated=sum(loss.truncated for loss in lost[side]),
            unknown=sum(loss.unknown for loss in lost[side]),
        )
        for side, own, around in (("source", sources, empty), ("target", targets, no_target))
    }
    wanted = method["shots"] * len(rows)
    more = {"shots": sum(read.shots), "shots_left_out": wanted - sum(read.shots)}
    return ToTranslate([torch.tensor(own) for own in sources], counts, more)
