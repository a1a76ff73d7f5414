"""Write a first study for a user's own text and model: a commented overlay over config.yaml."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mtpeft.config.load import DEFAULT_FILE, merge, read_yaml, validate
from mtpeft.config.model_languages import without_name
from mtpeft.config.pretraining import languages_read
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import rate_classes
from mtpeft.core.errors import UserError
from mtpeft.core.languages import is_language, same_language
from mtpeft.core.value_types import HUB_NAME
from mtpeft.core.wording import listed
from mtpeft.data.clean import MUCH, Cleaned, clean_messages
from mtpeft.data.filters import KEYS
from mtpeft.data.readers import READERS
from mtpeft.data.readers.base import Reader
from mtpeft.data.sources import SOURCES
from mtpeft.data.sources.base import Languages
from mtpeft.front.overlay import BATCH_TOKENS, EPOCHS, SIZED_OPTIONS, Plan, Request, overlay_text
from mtpeft.methods import METHODS, options_of
from mtpeft.methods.budget import reach, targets_of
from mtpeft.models.architecture import ModelShape
from mtpeft.models.config_json import read_folder_shape
from mtpeft.steps.cells_of_studies import placed_cells

DRAWN = {"dev": (0.05, 20, 500), "test": (0.1, 50, 1000)}
"""Share of the sentences that is drawn for a part, and fewest and most sentences of it."""
TOKENS_PER_PAIR, FEWEST_UPDATES, MOST_UPDATES = 40, 200, 20_000
"""Padded tokens of an average sentence pair, and limits of the updates of a training size."""
SMALLEST_SIZE, SIZE_STEP, MOST_SIZES = 100, 4, 4
"""Pairs of the smallest training size, factor between two sizes, and number of sizes."""
SHARES = (0.001, 0.005, 0.01, 0.05, 0.1)
"""Budgets, of which those stay that all methods can meet."""
LARGE = 50_000_000
"""Parameters from which on a model needs the small learning rates of large models."""


def write_study(request: Request, to: Path) -> Iterator[str]:
    """Write the overlay, after it is checked, and yield lines that tell the user what it is.

    Raises:
        UserError: the file is there, the text or the model can't be read, or there is too little text.
    """
    if to.exists() or to.is_symlink():
        raise UserError(f"{to} is there already; name another file after --to.")
    _require_languages(request)
    _require_model(request.model)
    files = {part: describe_files(request, given) for part, given in request.parts.items()}
    cleaned = clean_text(request, files)
    given = Counter(line.part for line in cleaned.given)
    kept = len({(sentence.source, sentence.target) for sentence in cleaned.sentences})
    cleaned.take("duplicates", [], len(cleaned.sentences) - kept)
    plan = fit(kept, _shape(request), [part for part in DRAWN if not given[part]])
    plan = replace(plan, new_languages=_new_languages(request))
    text = overlay_text(request, files, plan)
    configuration = validate(merge(read_yaml(DEFAULT_FILE), yaml.safe_load(text)))
    _write_new(to, text)
    cells = placed_cells(configuration)
    drawn = " and ".join(f"{count} are for {part}" for part, count in plan.split.items())
    beside = [f"beside {given[part]} given for {part}" for part in given]
    yield f"{to}: {', '.join([f'{kept:,} sentence pairs', *([f'of which {drawn}'] if drawn else []), *beside])}."
    yield from _taken(cleaned)
    if plan.new_languages:
        yield (
            f"{request.model} has no token for {listed(plan.new_languages)}, so a new one is added; see 'extend' in "
            "the file."
        )
    yield from _unread(configuration, request)
    methods = ", ".join(sorted({cell.method for cell in cells}))
    yield f"{len(cells)} cells of {methods}, and {len(rate_classes(configuration))} searches for learning rates."
    yield f"Read it, then: make plan CONFIG={to}"


def clean_text(request: Request, files: Mapping[str, Mapping[str, Any]]) -> Cleaned:
    """Clean the text as the workflow will do, and count what each filter removes.

    Raises:
        UserError: it can't be read.
    """
    source = SOURCES["files"]
    languages = Languages(request.source, request.target, written_in=request.source)
    return clean_messages(
        source.read(files, languages, ()), languages.sides, cleaning=source.kind.cleaning, ui_strings=False
    )


def _taken(cleaned: Cleaned) -> Iterator[str]:
    """Tell how much each filter removes from the training text."""
    taken = [(KEYS.get(reason, reason), count) for reason, count in cleaned.taken.most_common() if count]
    if not taken:
        yield "The filters take none of the text."
        return
    total = sum(count for _, count in taken)
    each = (f"'{name}' {count / cleaned.candidates:.1%}" for name, count in taken)
    share = total / cleaned.candidates
    remedy = "; change them under 'clean' if that is too much" if share > MUCH else ""
    removed = f"{total:,} of the {cleaned.candidates:,} pairs of the text ({share:.1%})"
    yield f"The filters take {removed}: {', '.join(each)}{remedy}."


def _unread(configuration: Configuration, request: Request) -> Iterator[str]:
    """Tell which languages the model is known never to have read, or that nobody says what it has read."""
    read = languages_read(configuration, request.model_label)
    sides = (request.source, request.target)
    if read is None:
        yield f"Nothing says which languages {request.model} has read; make sure that {listed(sides)} are among them."
        return
    if lacking := [side for side in sides if not any(same_language(side, known) for known in read)]:
        yield (
            f"{request.model} has never read {listed(lacking)}, only {listed(sorted(read))}: expect little of it, or "
            "begin with a model that has."
        )


def _require_languages(request: Request) -> None:
    """Check that source and target are two different languages.

    Raises:
        UserError: they are not.
    """
    for side in ("source", "target"):
        if not is_language(language := getattr(request, side)):
            raise UserError(
                f"'--{side}' is '{language}', which is no language code that anybody knows; write one such as 'sw' or "
                "'pt-BR'."
            )
    if request.source == request.target:
        raise UserError(f"'--source' and '--target' are both '{request.source}'; write two different languages.")


def _require_model(model: str) -> None:
    """Check that the name of a model of a hub says the commit.

    Raises:
        UserError: it does not.
    """
    if not Path(model).exists() and re.fullmatch(f"{HUB_NAME}/{HUB_NAME}", model):
        raise UserError(
            f"'--model' is '{model}', but there is no such folder here; of a model of the hub write its commit too, "
            f"{model}@…, which its page shows under 'Files and versions', since a branch moves."
        )


def _write_new(to: Path, text: str) -> None:
    """Write a file that is not there yet, and the folder that it is to lie in.

    Raises:
        UserError: there can be no such folder.
    """
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"{to} can't be written: {error.filename} is no folder; name another one after --to."
        ) from error
    with to.open("x", encoding="utf-8") as file:
        file.write(text)


def describe_files(request: Request, given: Sequence[str]) -> dict[str, Any]:
    """Describe the files of a part of the corpus as the configuration does.

    Raises:
        UserError: they are neither two files nor one file of both sides.
    """
    if len(given) == 2:
        return dict(zip((request.source, request.target), given, strict=True))
    (file,) = given if len(given) == 1 else ("",)
    reader = _reader_of(file)
    if reader and not reader.columns:
        return {reader.name: file}
    if reader is None or len(request.columns) != 2:
        with_columns = listed(each for reader in READERS.entries.values() if reader.columns for each in reader.endings)
        without = listed(each for reader in READERS.entries.values() if not reader.columns for each in reader.endings)
        raise UserError(
            "--files, --dev and --test take two line-aligned files, source first, or one file whose name ends with "
            f"{without}, or with one of {with_columns} and `--columns`, the names or numbers of the source's and the "
            "target's column."
        )
    columns = [int(column) if column.isdecimal() and reader.numbered else column for column in request.columns]
    return {reader.name: file, "columns": dict(zip((request.source, request.target), columns, strict=True))}


def _reader_of(file: str) -> Reader | None:
    """Find the reader of a file by an ending of its name, of which one may say that it is compressed."""
    endings = {ending: reader for reader in READERS.entries.values() for ending in reader.endings}
    return next((endings[suffix] for suffix in map(str.lower, Path(file).suffixes) if suffix in endings), None)


def fit(pairs: int, shape: ModelShape | None, drawn: Collection[str] = tuple(DRAWN)) -> Plan:
    """Choose splits and sizes for a number of pairs, and budgets for a model that is known.

    Args:
        pairs: number of sentence pairs of the training text.
        shape: shape of the model, if it is here.
        drawn: which of dev and test are drawn from the training text; the others are given beside it.

    Raises:
        UserError: too few pairs to learn, to choose and to test on.
    """
    split = {
        part: min(max(round(share * pairs), fewest), most)
        for part, (share, fewest, most) in DRAWN.items()
        if part in drawn
    }
    left = int(0.9 * (pairs - sum(split.values())))  # some are near-duplicates of these
    if left < SMALLEST_SIZE:
        raise UserError(
            f"After cleaning the files hold {pairs} sentence pairs, which leaves {max(left, 0)} for training; give at "
            f"least {round((SMALLEST_SIZE / 0.9 + sum(DRAWN[part][1] for part in split)) / 10) * 10}."
        )
    sizes = [left // SIZE_STEP**step for step in reversed(range(MOST_SIZES))]
    shares = [share for share in SHARES if shape is None or _can_meet(shape, share)]
    return Plan(
        split=split,
        sizes={f"n{size}": {"pairs": size, "updates": _updates(size)} for size in sizes if size >= SMALLEST_SIZE},
        budgets={f"p{share * 100:g}": share for share in shares},
        large=shape is None or shape.total >= LARGE,
    )


def _shape(request: Request) -> ModelShape | None:
    """Read the shape of a model in a folder; the shape of a model of the hub is not known before it is fetched."""
    return None if request.kind == "hub" else read_folder_shape(Path(request.model), key="--model")


def _new_languages(request: Request) -> list[str]:
    """List the languages for which a model in a folder has no token though it has tokens for others."""
    lacks = without_name(Path(request.model)) if request.kind == "path" else lambda language: False
    return [language for language in (request.source, request.target) if is_language(language) and lacks(language)]


def _can_meet(shape: ModelShape, share: float) -> bool:
    """Say whether every budgeted method of the study can train a share of a model."""
    ranges = (
        reach(targets_of(METHODS[name], shape, options_of({"method": name, **options})))
        for name, options in SIZED_OPTIONS.items()
    )
    return all(low <= int(share * shape.total) <= high for low, high in ranges)


def _updates(pairs: int) -> int:
    return min(max(round(EPOCHS * pairs * TOKENS_PER_PAIR / BATCH_TOKENS), FEWEST_UPDATES), MOST_UPDATES)
