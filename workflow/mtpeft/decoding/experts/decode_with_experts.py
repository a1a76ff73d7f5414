"""Decode the test sets with some of the experts of a cell's feed-forward blocks, and count what is computed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.files import sha256_of, write_record
from mtpeft.core.options import DecodingOptions
from mtpeft.core.records import ServedRecord
from mtpeft.decoding.experts.expert_layers import operations_of, put_experts
from mtpeft.decoding.experts.split_experts import SplitOptions, blocks_of, open_cell, read_experts
from mtpeft.decoding.hypotheses import DecodingOutcome, decode_content, write_hypotheses
from mtpeft.decoding.search import search_with, with_room_beside_prefix
from mtpeft.decoding.test_sets import TestSetDecoder, decode_tests
from mtpeft.methods import bring_in_for
from mtpeft.models.load import prepare_torch
from mtpeft.models.precision import precision_of
from mtpeft.models.tokenizer import open_tokenizer, prompt_keys, special_tokens_of


def decode_with_experts(
    params: Mapping[str, Any], cell: Cell, *, trained: Path, experts: Path, tests: Mapping[str, Path], record: Path
) -> None:
    """Write the hypotheses of each test set into `hypotheses/`, and the record.

    Args:
        params: `active`, the number of experts for each token, `search`, `inference`, `languages`, `threads`, and the
            precision of the base model.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        experts: `experts.json`, with the experts beside it.
        tests: token arrays of each test set, by its name.
        record: `served.json`.

    Raises:
        DamagedError: weights or experts are not those that were made, or the base model's not those that were taken in.
        TryAgainError: a signal has come, or the time limit is reached.
    """
    split, train = require_whole(experts), require_whole(trained)
    outcome, operations = DecodingOutcome({}, 0.0, 0, {}, status=split["status"]), operations_of((), "oracle")
    if split["status"] == "ok":
        bring_in_for(train["params"]["method"])
        device = prepare_torch(params["threads"])
        described = require_base(train)
        base = Path(described["folder"])
        tokenizer = open_tokenizer(base, params["languages"], vocabulary=cell.model, **prompt_keys(described["params"]))
        precision, options = precision_of(params, cell.model), SplitOptions.model_validate(split["params"]["moe"])
        search_options = DecodingOptions.model_validate(params["search"])
        model = open_cell(params, cell, trained=trained, base=base).to(device)
        blocks = blocks_of(base, options.experts)
        made = read_experts(experts.with_suffix(".safetensors"))
        served = put_experts(model, blocks, made, active=params["active"])
        special_tokens = with_room_beside_prefix(special_tokens_of(tokenizer, model.config), model)
        search = search_with(model, search_options, special_tokens=special_tokens)
        decoder = TestSetDecoder(search, search_options, tokenizer, special_tokens, device)
        found = decode_tests(decoder, tests, folder=record.parent, threads=params["threads"])
        outcome = replace(found, packages=tuple(precision.packages))
        operations = operations_of(served, options.router)
    else:
        outcome = replace(outcome, test_sets={name: write_hypotheses(record.parent, name, []) for name in tests})
    content = ServedRecord(
        **decode_content(params, cell, outcome, trained=trained),
        experts_sha256=sha256_of(experts),
        operations=operations,
    )
    write_record(record, content.model_dump())
