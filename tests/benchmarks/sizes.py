"""What text steps and a training's batches cost against the number of sentence pairs: a part of `make bench`.

PYTHONPATH=tests python -m benchmarks.sizes
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Measurement, apart, timed
from benchmarks.tables import number
from mtpeft.config.load import DEFAULT_FILE, merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.config.yaml_file import read_yaml
from mtpeft.core.text_tables import table
from mtpeft.data.clean import clean_pair
from mtpeft.data.decontaminate import decontaminate_pair
from mtpeft.data.encode import encode_pair
from mtpeft.data.split import split_corpus
from mtpeft.data.token_arrays import read_arrays
from mtpeft.models.special_tokens import SpecialTokens
from mtpeft.steps.step import STEPS
from mtpeft.training.batches import TrainingText, cell_batches
from support.model import SPANISH_ENGLISH

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MODEL = Path(__file__).parents[2] / "workflow/models/small"
PAIR, CORPUS = "gl-en", "grown"
HELD_OUT = 100
"""Sentences of dev and of test."""
UPDATES = 100
"""Batches that are made."""
Step = Callable[[Configuration, Path], None]


def configuration(folder: Path) -> Configuration:
    """Return a configuration of one pair, whose text is in a folder."""
    files = {"tsv": str(folder / "text.tsv"), "columns": {"gl": 0, "en": 1}}
    split = {"test": HELD_OUT, "dev": HELD_OUT}
    overlay = {"corpora": {CORPUS: {"files": files, "split": split}}, "pairs": {PAIR: {"corpus": CORPUS}}}
    return validate(merge(read_yaml(DEFAULT_FILE), overlay))


def write_text(folder: Path, pairs: int) -> None:
    """Write so many different sentence pairs: two sentences of the tests' own, and a number."""
    count = len(SPANISH_ENGLISH)
    with (folder / "text.tsv").open("w", encoding="utf-8") as stream:
        for row in range(pairs):
            first, second = SPANISH_ENGLISH[row % count], SPANISH_ENGLISH[row // count % count]
            sides = (f"{one}, {other.lower()} {row}" for one, other in zip(first, second, strict=True))
            stream.write("\t".join(sides) + "\n")


def _clean(own: Configuration, folder: Path) -> None:
    params = STEPS["clean_pair"].params_of(own, {"pair": PAIR})
    clean_pair(params, archives=[], output=folder / "clean.tsv", record=folder / "clean.json")


def _split(own: Configuration, folder: Path) -> None:
    params = STEPS["split_corpus"].params_of(own, {"corpus": CORPUS})
    split_corpus(params, cleaned=[folder / "clean.tsv"], output=folder / "split.json")


def _decontaminate(own: Configuration, folder: Path) -> None:
    params = STEPS["decontaminate_pair"].params_of(own, {"pair": PAIR})
    read = {"cleaned": folder / "clean.tsv", "split": folder / "split.json", "others": []}
    decontaminate_pair(params, **read, folder=folder / "parts", record=folder / "parts.json")


def _encode(own: Configuration, folder: Path) -> None:
    params = {"source": "es", "target": "en", "vocabulary": MODEL.name}
    encode_pair(params, tokenizer=MODEL, parts={folder / "parts/train.tsv": folder / "train.safetensors"})


def _batches(own: Configuration, folder: Path) -> None:
    pairs = read_arrays(folder / "train.safetensors")
    text = TrainingText(pairs, range(len(pairs.source)), SpecialTokens(pad=1, end=2, begin=(2,), max_length=512))
    batch = cell_batches([text], batch_tokens=512, temperature=1.0, seed=1)
    for update in range(UPDATES):
        batch(update)


STEPS_MEASURED: Mapping[str, Step] = {
    "clean": _clean,
    "split": _split,
    "take test text out": _decontaminate,
    "encode": _encode,
    f"first {UPDATES} batches": _batches,
}
"""In the order in which each reads what the one before has written."""


def costs(sizes: Sequence[int] = SIZES) -> dict[tuple[str, int], Measurement]:
    """Measure each step at each size, in a process of its own."""
    found = {}
    for size in sizes:
        with TemporaryDirectory() as name:
            folder = Path(name)
            write_text(folder, size)
            own = configuration(folder)
            for step, run in STEPS_MEASURED.items():
                found[step, size] = apart(_timed, run, own, folder, size)
    return found


def _timed(run: Step, own: Configuration, folder: Path, size: int) -> Measurement:
    def work() -> tuple[int, Mapping[str, object]]:
        run(own, folder)
        return size, {}

    return timed(work)


def size_table(found: Mapping[tuple[str, int], Measurement]) -> str:
    """Write seconds of processor time and megabytes beyond the libraries, a column for each size."""
    sizes = sorted({size for _, size in found})
    rows = [
        [step, *(f"{number(found[step, size].cpu)} s, {number(found[step, size].added)} MB" for size in sizes)]
        for step in STEPS_MEASURED
    ]
    return table(("sentence pairs", *(f"{size:,}" for size in sizes)), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=costs.__doc__)
    parser.add_argument("--pairs", type=int, default=max(SIZES), help="most sentence pairs")
    largest = parser.parse_args(arguments).pairs
    print(f"### Size\n\n{size_table(costs([size for size in SIZES if size <= largest] or [largest]))}\n", flush=True)


if __name__ == "__main__":
    main()
