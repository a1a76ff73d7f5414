"""Decode the test set of a cell with its tuned model."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtpeft.cells import Cell
from mtpeft.cluster.preemption import stopping
from mtpeft.core.checksums import require_base, require_whole
from mtpeft.core.provenance import describe
from mtpeft.core.warnings import warn
from mtpeft.data.token_arrays import read_arrays
from mtpeft.data.token_counts import loss_warnings, read_counts
from mtpeft.decoding.hypotheses import Outcome, write_decode_record, write_hypotheses
from mtpeft.decoding.search import Search, translate, with_room_beside_prefix
from mtpeft.methods.outside import bring_in_for
from mtpeft.methods.task_ids import domain_of, say_domains
from mtpeft.methods.tuned import open_tuned
from mtpeft.models.load import prepare_torch
from mtpeft.models.precision import frozen_in
from mtpeft.models.tokenizer import frame_of, open_codec, text_of


def decode(settings: Mapping[str, Any], cell: Cell, *, trained: Path, tests: Mapping[str, Path], record: Path) -> None:
    """Write one hypothesis per line and test set into `hypotheses/`, and the record.

    Args:
        settings: `search`, `languages`, `threads`, and in what the base is held.
        cell: whose model it is.
        trained: the cell's `train.json`, with `tuned/` beside it.
        tests: token arrays of each test set.
        record: where the record goes; for a group into a folder with the label of the pair.

    Raises:
        DamagedError: the weights are not those that were trained, or those of the base not those that were taken in.
        TryAgainError: a signal came, or its time is over.
    """
    train = require_whole(trained)
    bring_in_for(train["settings"]["method"])
    device = prepare_torch(settings["threads"])
    base = Path(require_base(train)["folder"])
    codec = open_codec(base, settings["languages"], vocabulary=cell.model)
    frozen = frozen_in(settings, cell.model)
    model = open_tuned(base, trained.parent / "tuned", frozen).to(device).eval()
    say_domains(model, domain_of(train["settings"], record.parent.name))
    frame, search = frame_of(codec, model.config), Search(**settings["search"])
    started, done, described = time.monotonic(), 0, {}
    with stopping("decoding") as look:
        for name, arrays in tests.items():
            source, counts = read_arrays(arrays).source, read_counts(arrays)
            sources = [source[row] for row in range(len(source))]
            hypotheses = translate(model, sources, search, frame=frame, look=look)
            lines = text_of(codec, hypotheses)
            ended = search.at_limit(hypotheses, source.lengths, with_room_beside_prefix(frame, model))
            counted = {side: asdict(own) for side, own in counts.items()}
            described[name] = write_hypotheses(record.parent, name, lines, at_limit=ended, tokens=counted)
            warn(loss_warnings(counts, f"test set '{name}' of {record.parent}"))
            done += len(lines)
    outcome = Outcome(
        test_sets=described,
        seconds=time.monotonic() - started,
        sentences=done,
        execution=describe(str(device), settings["threads"]),
        packages=frozen.packages,
    )
    write_decode_record(settings, cell, outcome, trained=trained, record=record)
