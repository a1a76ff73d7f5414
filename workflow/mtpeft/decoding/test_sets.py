"""Translate the test sets of a cell, one after the other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtpeft.cluster.preemption import interruptible
from mtpeft.core.options import DecodingOptions
from mtpeft.core.provenance import describe
from mtpeft.core.warnings import warn
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.token_counts import Counts, loss_warnings, read_counts
from mtpeft.decoding.hypotheses import DecodingOutcome, write_hypotheses
from mtpeft.decoding.search import BATCH_TOKENS, Search, count_at_limit, search_in_batches
from mtpeft.models.computation import warn_of_slow_precision
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, detokenise


@dataclass(frozen=True)
class ToTranslate:
    """The sources of a test set as the model reads them.

    Attributes:
        sources: tokens of each.
        counts: counts of the tokens of both sides.
        more: what else the record says of them.
        own_lengths: tokens of each source that limit its hypothesis, where examples before it don't count.
        first_line: whether a hypothesis ends with its first line.
    """

    sources: Sequence[torch.Tensor]
    counts: Mapping[str, Counts]
    more: Mapping[str, Any] = field(default_factory=dict)
    own_lengths: Sequence[int] | None = None
    first_line: bool = False


ReadTest = Callable[[Path], ToTranslate]
"""Reads the sources of a test set from its file."""


def as_encoded(arrays: Path) -> ToTranslate:
    """Read the sources of a test set that was encoded before."""
    source = read_arrays(arrays).source
    return ToTranslate([source[row] for row in range(len(source))], read_counts(arrays))


@dataclass(frozen=True)
class TestSetDecoder:
    """What translates test sets.

    Attributes:
        search: finds the hypotheses of a batch.
        options: how hypotheses are searched.
        tokenizer: set to the language pair.
        special_tokens: of the model, with room for a trained prefix beside the longest sequence.
        device: where the model lies.
    """

    search: Search
    options: DecodingOptions
    tokenizer: PairTokenizer
    special_tokens: SpecialTokens
    device: torch.device


def decode_tests(
    decoder: TestSetDecoder,
    tests: Mapping[str, Path],
    *,
    folder: Path,
    threads: int,
    read_test: ReadTest = as_encoded,
) -> DecodingOutcome:
    """Write the hypotheses of each test set into `hypotheses/` of a folder; returns what the record says of them.

    Args:
        decoder: translates them.
        tests: file of each test set, by its name.
        folder: of the record.
        threads: of torch.
        read_test: reads the sources from the file of a test set.

    Raises:
        TryAgainError: a signal has come, or the time limit is reached.
    """
    used = time.process_time()
    started, done, described = time.monotonic(), 0, {}
    options, special_tokens = decoder.options, decoder.special_tokens
    warn_of_slow_precision("decoding.precision", options.precision, decoder.device)
    with interruptible("decoding") as poll:
        for name, arrays in tests.items():
            read = read_test(arrays)
            lengths = np.array(read.own_lengths or [len(source) for source in read.sources])
            hypotheses = search_in_batches(
                decoder.search,
                read.sources,
                options,
                special_tokens=special_tokens,
                own_lengths=lengths,
                batch_tokens=BATCH_TOKENS[decoder.device.type],
                poll=poll,
            )
            lines = detokenise(decoder.tokenizer, hypotheses)
            lines = [line.partition("\n")[0] for line in lines] if read.first_line else lines
            ended = count_at_limit(options, hypotheses, lengths, special_tokens)
            counted = {side: asdict(own) for side, own in read.counts.items()}
            described[name] = write_hypotheses(folder, name, lines, at_limit=ended, tokens=counted, **read.more)
            warn(loss_warnings(read.counts, f"test set '{name}' of {folder}"))
            done += len(lines)
    return DecodingOutcome(
        test_sets=described,
        seconds=time.monotonic() - started,
        sentences=done,
        execution=describe(str(decoder.device), threads),
        processor_seconds=time.process_time() - used,
    )
