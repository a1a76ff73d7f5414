"""Decode the test sets with the tuned model of a cell."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.options import DecodingOptions, InferenceOptions
from mtpeft.core.provenance import Offload
from mtpeft.decoding.ctranslate2_engine import open_engine
from mtpeft.decoding.examples import ExampleText, with_examples
from mtpeft.decoding.hypotheses import write_decode_record
from mtpeft.decoding.search import search_with, with_room_beside_prefix
from mtpeft.decoding.test_sets import TestSetDecoder, as_encoded, decode_tests
from mtpeft.methods import bring_in_for
from mtpeft.methods.open_tuned import open_tuned
from mtpeft.methods.task_ids import set_task_ids, task_id_of
from mtpeft.models.load import prepare_torch
from mtpeft.models.offload import place
from mtpeft.models.precision import precision_of
from mtpeft.models.tokenizer import open_tokenizer, prompt_keys, special_tokens_of


def decode(
    params: Mapping[str, Any],
    cell: Cell,
    *,
    trained: Path,
    tests: Mapping[str, Path],
    record: Path,
    offload: Offload | None = None,
    examples: ExampleText | None = None,
) -> None:
    """Write the hypotheses of each test set into `hypotheses/`, one a line, and the record.

    Args:
        params: `search`, `inference`, `languages`, `threads`, and the precision of the base model.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        tests: token arrays of each test set, by its name; their text where there are examples.
        record: `decode.json`; that of a cell on several pairs lies in a folder with the label of the pair.
        offload: where the layers of the base model lie until they run.
        examples: that stand before each source, for in-context learning.

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
    own = train["params"]["method"]
    read_test = partial(with_examples, own, cell, examples, tokenizer, special_tokens) if examples else as_encoded
    decoder = TestSetDecoder(search, options, tokenizer, special_tokens, device)
    outcome = decode_tests(decoder, tests, folder=record.parent, threads=params["threads"], read_test=read_test)
    packages = (*precision.packages, *inference.packages)
    execution = outcome.execution | ({"offload": offload} if offload else {})
    outcome = replace(outcome, packages=packages, execution=execution)
    write_decode_record(params, cell, outcome, trained=trained, record=record)
