"""Decode the test sets with the tuned model of a cell."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mtpeft.cells import Cell
from mtpeft.cluster.preemption import interruptible
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.options import DecodingOptions, InferenceOptions
from mtpeft.core.provenance import Offload, describe
from mtpeft.core.warnings import warn
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.token_counts import loss_warnings, read_counts
from mtpeft.decoding.ctranslate2_engine import open_engine
from mtpeft.decoding.hypotheses import DecodingOutcome, write_decode_record, write_hypotheses
from mtpeft.decoding.search import (
    BATCH_TOKENS,
    Search,
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
from mtpeft.models.offload import place
from mtpeft.models.precision import precision_of
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.models.tokenizer import PairTokenizer, detokenise, open_tokenizer, prompt_keys, special_tokens_of


def decode(
    params: Mapping[str, Any],
    cell: Cell,
    *,
    trained: Path,
    tests: Mapping[str, Path],
    record: Path,
    offload: Offload | None = None,
) -> None:
    """Write the hypotheses of each test set into `hypotheses/`, one a line, and the record.

    Args:
        params: `search`, `inference`, `languages`, `threads`, and the precision of the base model.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        tests: token arrays of each test set, by its name.
        record: `decode.json`; that of a cell on several pairs lies in a folder with the label of the pair.
        offload: where the layers of the base model lie until they run.

    Raises:
        UserError: the engine that is asked for is not there, or can't translate with this model.
        DamagedError: the weights are not those that were trained, or the base model's not those that were taken in.
        TryAgainError: a signal has come, or the time limit is reached.
    """
    train = require_whole(trained)
    bring_in_for(train["params"]["method"])
    device = prepare_torch(params["threads"])
    described = require_base(train)
    base = Path(described["folder"])
    tokenizer = open_tokenizer(base, params["languages"], vocabulary=cell.model, **prompt_keys(described["params"]))
    precision, inference = precision_of(params, cell.model), InferenceOptions.of(params)
    options = DecodingOptions.model_validate(params["search"])
    model = open_tuned(base, trained.parent / "tuned", precision, offload=offload).eval()
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
        search = search_with(place(model, device), options, special_tokens=special_tokens)
    del model
    decoder = TestDecoder(search, options, tokenizer, special_tokens, device)
    outcome = decode_tests(decoder, tests, folder=record.parent, threads=params["threads"])
    packages = (*precision.packages, *inference.packages)
    execution = outcome.execution | ({"offload": offload} if offload else {})
    outcome = replace(outcome, packages=packages, execution=execution)
    write_decode_record(params, cell, outcome, trained=trained, record=record)


@dataclass(frozen=True)
class TestDecoder:
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


def decode_tests(decoder: TestDecoder, tests: Mapping[str, Path], *, folder: Path, threads: int) -> DecodingOutcome:
    """Write the hypotheses of each test set into `hypotheses/` of a folder; returns what the record says of them.

    Args:
        decoder: translates them.
        tests: token arrays of each test set, by its name.
        folder: of the record.
        threads: of torch.

    Raises:
        TryAgainError: a signal has come, or the time limit is reached.
    """
    used = time.process_time()
    started, done, described = time.monotonic(), 0, {}
    options, special_tokens = decoder.options, decoder.special_tokens
    warn_of_slow_precision("decoding.precision", options.precision, decoder.device)
    with interruptible("decoding") as poll:
        for name, arrays in tests.items():
            source, counts = read_arrays(arrays).source, read_counts(arrays)
            sources = [source[row] for row in range(len(source))]
            hypotheses = search_in_batches(
                decoder.search,
                sources,
                options,
                special_tokens=special_tokens,
                batch_tokens=BATCH_TOKENS[decoder.device.type],
                poll=poll,
            )
            lines = detokenise(decoder.tokenizer, hypotheses)
            ended = count_at_limit(options, hypotheses, source.lengths, special_tokens)
            counted = {side: asdict(own) for side, own in counts.items()}
            described[name] = write_hypotheses(folder, name, lines, at_limit=ended, tokens=counted)
            warn(loss_warnings(counts, f"test set '{name}' of {folder}"))
            done += len(lines)
    return DecodingOutcome(
        test_sets=described,
        seconds=time.monotonic() - started,
        sentences=done,
        execution=describe(str(decoder.device), threads),
        processor_seconds=time.process_time() - used,
    )
