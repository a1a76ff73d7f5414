"""Write a study of one's own: a commented overlay over config.yaml that fits a parallel text and a model."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mtpeft.config.load import DEFAULT_FILE, merge, read_yaml, validate
from mtpeft.config.model_checks import without_name
from mtpeft.config.sentences import listed
from mtpeft.config.studies import all_cells, rate_classes
from mtpeft.corpus.files import read_parallel
from mtpeft.errors import UserError
from mtpeft.front.overlay import BATCH_TOKENS, EPOCHS, SIZED_OPTIONS, Plan, Request, overlay_text
from mtpeft.languages import is_language
from mtpeft.methods import METHODS
from mtpeft.methods.budget import reach, sites_of
from mtpeft.models.describe import read_folder_shape
from mtpeft.models.shapes import ModelShape

TABLES = ("tsv", "csv", "jsonl")
DEV_SHARE, TEST_SHARE = 0.05, 0.1
DEV_LIMITS, TEST_LIMITS = (20, 500), (50, 1000)
"""Fewest and most sentences that are set aside; what is left must be more than both."""
TOKENS_PER_PAIR, FEWEST_UPDATES, MOST_UPDATES = 40, 200, 20_000
SMALLEST_SIZE, SIZE_STEP, MOST_SIZES = 100, 4, 4
SHARES = (0.001, 0.005, 0.01, 0.05, 0.1)
LARGE = 50_000_000
"""Parameters from which on a model wants the small rates of large models."""


def write_study(request: Request, to: Path) -> Iterator[str]:
    """Write the overlay, checked; yields what to tell the user.

    Raises:
        UserError: the file is there, the text or the model can't be read, or there is too little text.
    """
    if to.exists():
        raise UserError(f"{to} is there already; name another file after --to.")
    files = describe_files(request)
    plan = replace(fit(_count_pairs(files, request), _shape(request.model)), new_languages=_new_languages(request))
    text = overlay_text(request, files, plan)
    configuration = validate(merge(read_yaml(DEFAULT_FILE), yaml.safe_load(text)))
    to.write_text(text, encoding="utf-8")
    cells = all_cells(configuration)
    yield f"{to}: {plan.pairs:,} sentence pairs, of which {plan.dev} are for dev and {plan.test} for test."
    methods = ", ".join(sorted({cell.method for cell in cells}))
    if plan.new_languages:
        yield f"{request.model} has no token for {listed(plan.new_languages)}, so it gets one, which `extend` says."
    yield f"{len(cells)} cells of {methods}, and {len(rate_classes(configuration))} searches for learning rates."
    yield f"Read it, then: make plan CONFIG={to}"


def describe_files(request: Request) -> dict[str, Any]:
    """The `files` of the corpus, as the configuration has them.

    Raises:
        UserError: neither two files nor one table or translation memory.
    """
    if len(request.files) == 2:
        return dict(zip((request.source, request.target), request.files, strict=True))
    (file,) = request.files if len(request.files) == 1 else ("",)
    form = next((suffix[1:] for suffix in Path(file).suffixes if suffix[1:] in (*TABLES, "tmx")), None)
    if form == "tmx":
        return {"tmx": file}
    if form is None or len(request.columns) != 2:
        raise UserError(
            "--files takes two line-aligned files, source first, or one .tmx, or one .tsv, .csv or .jsonl with "
            "`--columns`, the names or numbers of the source's and the target's column."
        )
    columns = [int(column) if column.isdecimal() and form != "jsonl" else column for column in request.columns]
    return {form: file, "columns": dict(zip((request.source, request.target), columns, strict=True))}


def fit(pairs: int, shape: ModelShape | None) -> Plan:
    """Splits and sizes for a number of pairs, budgets for a model that is known.

    Raises:
        UserError: too few pairs to learn, to choose and to test on.
    """
    dev, test = (
        min(max(round(share * pairs), fewest), most)
        for share, (fewest, most) in ((DEV_SHARE, DEV_LIMITS), (TEST_SHARE, TEST_LIMITS))
    )
    left = int(0.9 * (pairs - dev - test))  # some are near-duplicates of these, or fall to a filter
    if left < SMALLEST_SIZE:
        raise UserError(
            f"The files hold {pairs} sentence pairs, which leaves {max(left, 0)} for training; give at least "
            f"{round((SMALLEST_SIZE / 0.9 + DEV_LIMITS[0] + TEST_LIMITS[0]) / 10) * 10}."
        )
    sizes = [left // SIZE_STEP**step for step in reversed(range(MOST_SIZES))]
    shares = [share for share in SHARES if shape is None or _can_meet(shape, share)]
    return Plan(
        pairs=pairs,
        dev=dev,
        test=test,
        sizes={f"n{size}": {"pairs": size, "updates": _updates(size)} for size in sizes if size >= SMALLEST_SIZE},
        budgets={f"p{share * 100:g}": share for share in shares},
        large=shape is None or shape.total >= LARGE,
    )


def _count_pairs(files: Mapping[str, Any], request: Request) -> int:
    lines = read_parallel(files, source=request.source, target=request.target)
    return sum(bool(line.source.strip() and line.target.strip()) for line in lines)


def _shape(model: str) -> ModelShape | None:
    """Shape of a model in a folder; a model of the hub is known when it is there."""
    return None if "@" in model else read_folder_shape(Path(model), key="--model")


def _new_languages(request: Request) -> list[str]:
    """Languages for which a model in a folder has no token though it has some for others."""
    lacks = without_name(Path(request.model)) if request.kind == "path" else lambda language: False
    return [language for language in (request.source, request.target) if is_language(language) and lacks(language)]


def _can_meet(shape: ModelShape, share: float) -> bool:
    """Whether every sized method of the study can train a share of a model."""
    ranges = (reach(sites_of(METHODS[name], shape, options)) for name, options in SIZED_OPTIONS.items())
    return all(low <= int(share * shape.total) <= high for low, high in ranges)


def _updates(pairs: int) -> int:
    return min(max(round(EPOCHS * pairs * TOKENS_PER_PAIR / BATCH_TOKENS), FEWEST_UPDATES), MOST_UPDATES)
