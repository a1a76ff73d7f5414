"""Our trainings and decodings against `Seq2SeqTrainer` and `generate`: the first part of `make bench`.

    PYTHONPATH=tests python -m benchmarks.trainer

Both sides have the same base model, data, updates, tokens an update in the mean, and search. The Trainer counts its
batches in sentences: it is given the number that our batches hold in the mean. Nothing is evaluated or saved while it
is timed, and the first updates are not timed. Each measurement is a fork of a process that has loaded the libraries of
both sides. In each repetition the sides take turns, and each is compared with ours of the same repetition.
"""

import argparse
import contextlib
import gc
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from benchmarks import ours, profiles, rivals
from benchmarks.cases import Case, cell_cases
from benchmarks.measure import Lap, Measurement, apart, timed
from benchmarks.shapes import shape_cases
from benchmarks.tables import EXPERT, MERGED, OURS, PLAIN, Measured, decoding_table, number, training_table
from mtpeft.core.errors import UserError
from mtpeft.core.provenance import versions
from mtpeft.core.text_tables import table

CELLS = (
    ((), ("student/es-en/n1600/full/all/1", "student/es-en/n1600/lora/b10/1")),
    ((Path("workflow/studies/tiny.yaml"),), ("small/pt-en/n1600/full/all/1", "small/pt-en/n1600/lora/b10/1")),
)
"""Overlays over config.yaml, and cells of these studies."""
Sides = Mapping[str, Callable[[int], Measurement]]
"""By the name of a side, what measures it, given the number of the repetition."""
NOT_TIMED = 5
"""Updates before those that are timed."""
TRIED = 256
"""Sentences with which the best batch of `generate` is looked for."""
PROFILED = 8
"""Updates under the profiler."""


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        updates: of each training.
        repetitions: of each measurement.
        sentences: of the test set that are translated.
    """

    updates: int
    repetitions: int
    sentences: int

    @property
    def first(self) -> int:
        """Updates before those that are timed."""
        return min(NOT_TIMED, self.updates // 2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the tables."""
    given = _parser().parse_args(arguments)
    if given.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    effort = Effort(given.updates, given.repetitions, given.sentences)
    studies = ((tuple(given.configfile), tuple(given.cell)),) if given.cell else CELLS
    try:
        with TemporaryDirectory() as folder:
            for part in _parts(given.device, studies, effort, Path(folder)):
                print(part, end="\n\n", flush=True)
    except UserError as error:
        sys.exit(f"mtpeft: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trainer", description="Measure both sides.")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="overlays of the study of the cells")
    parser.add_argument("--cell", nargs="+", default=[], help="labels of cells in place of the usual ones")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="with cuda, large shapes as well")
    parser.add_argument("--updates", type=int, default=30, help="of each training")
    parser.add_argument("--repetitions", type=int, default=3, help="of each measurement")
    parser.add_argument("--sentences", type=int, default=600, help="of the test set that are translated")
    return parser


def _parts(device: str, studies: Sequence[tuple], effort: Effort, folder: Path) -> Iterator[str]:
    """Yield the parts of the output, each as soon as it is measured.

    Raises:
        UserError: it is to be measured on a GPU, and there is none.
    """
    if device == "cuda" and not apart(gpu).more["name"]:
        raise UserError("The device is 'cuda', but torch finds no GPU here; write DEVICE=cpu.")
    with contextlib.redirect_stdout(sys.stderr):
        cases: list[Case] = [case for overlays, labels in studies for case in cell_cases(overlays, labels)]
    if device == "cuda":
        cases += shape_cases(folder)
    gc.freeze()  # else the first collection in a fork would copy every page
    yield machine()
    training = trainings(cases, effort, folder)
    yield f"### Training\n\n{training_table(training)}"
    yield f"### Decoding\n\n{decoding_table(decodings(cases, effort, folder))}"
    yield f"### Profile\n\n{profile_of(cases, effort)}"
    yield f"### Share of the peak\n\n{peak_table(cases, training, effort)}"


def gpu() -> Measurement:
    """Name the GPU; to be called in a fork, since CUDA that has begun is lost in all forks after that."""
    return timed(lambda: (1, {"name": torch.cuda.get_device_name() if torch.cuda.is_available() else None}))


def machine() -> str:
    """Describe the machine, the libraries and the date."""
    name = apart(gpu).more["name"]
    gpus = f", {name}" if name else ""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    packages = ", ".join(f"{name} {own}" for name, own in versions(("torch", "transformers", "peft")).items())
    cpu = names[0] if names else platform.machine()
    return f"{cpu}, {os.cpu_count()} cores{gpus}; {packages}; {datetime.now(UTC):%Y-%m-%d}"


def trainings(cases: Sequence[Case], effort: Effort, folder: Path) -> Measured:
    """Train each case on each side, and keep what ours has tuned first in a folder named by the case."""

    def lap() -> Lap:
        return Lap(effort.first, effort.updates)

    def sides(case: Case) -> Sides:
        tuned = tuned_folder(folder, case)
        return {
            OURS: lambda turn: ours.train(case, lap(), None if turn else tuned),
            PLAIN: lambda turn: rivals.train(case, lap(), rivals.Setting(expert=False)),
            EXPERT: lambda turn: rivals.train(case, lap(), rivals.Setting(expert=True)),
        }

    return in_turns(cases, sides, effort.repetitions)


def decodings(cases: Sequence[Case], effort: Effort, folder: Path) -> Measured:
    """Translate with each case's tuned model on each side; ours also with an adapter merged, as an expert has it."""
    count = effort.sentences

    def sides(case: Case) -> Sides:
        tuned = tuned_folder(folder, case)
        batch = best_batch(case, tuned, min(TRIED, count))
        merged = {MERGED: lambda turn: ours.decode(case, tuned, count, merged=True)}
        return {
            OURS: lambda turn: ours.decode(case, tuned, count),
            **(merged if (tuned / "adapter_config.json").exists() else {}),
            PLAIN: lambda turn: rivals.predict(case, tuned, count, batch),
            EXPERT: lambda turn: rivals.generate(case, tuned, count, batch),
        }

    return in_turns(cases, sides, effort.repetitions)


def tuned_folder(folder: Path, case: Case) -> Path:
    """Return the folder of the tuned weights of a case."""
    return folder / "tuned" / case.label


def best_batch(case: Case, tuned: Path, sentences: int) -> int:
    """Return the number of sentences in a batch with which `generate` takes the least time."""
    sizes = [size for size in rivals.BATCH_SIZES if size <= sentences] or [sentences]
    return min(sizes, key=lambda size: apart(rivals.generate, case, tuned, sentences, size).seconds)


def in_turns(cases: Sequence[Case], sides_of: Callable[[Case], Sides], repetitions: int) -> Measured:
    """Measure each side of each case so many times, in processes of their own; each repetition begins with another."""
    sides = {case.label: sides_of(case) for case in cases}
    found: dict[tuple[str, str], list[Measurement]] = {(label, side): [] for label in sides for side in sides[label]}
    for turn in range(repetitions):
        for label, own in sides.items():
            names = list(own)
            first = turn % len(names)
            for side in (*names[first:], *names[:first]):
                one = apart(own[side], turn)
                found[label, side].append(one)
                print(f"{label}, {side}: {number(one.amount / one.seconds)} in a second", file=sys.stderr, flush=True)
    return found


def profile_of(cases: Sequence[Case], effort: Effort) -> str:
    """Write where the time of an update of ours goes."""
    last = effort.first + min(PROFILED, effort.updates)
    return profiles.profile_table({case.label: apart(profiles.profiled, case, effort.first, last) for case in cases})


def peak_table(cases: Sequence[Case], training: Measured, effort: Effort) -> str:
    """Write which share of the peak of matrix products each side reaches, by operations on tokens without padding.

    The peak is that of float32 on a processor and that of bfloat16 on a GPU.
    """
    single, half = (apart(profiles.peak_of_products, half).amount for half in (False, True))
    on_gpu, rows = any(one.on_gpu for own in training.values() for one in own), []
    for case in cases:
        each = apart(profiles.operations, case, effort.first, effort.first + 2).amount
        speeds = (
            median(one.amount / one.seconds for one in training[case.label, side]) for side in (OURS, PLAIN, EXPERT)
        )
        shares = (f"{speed * each / (half if on_gpu else single):.0%}" for speed in speeds)
        rows.append([case.label, f"{each / 1e6:,.1f}", *shares])
    header = ("model and method", "million operations a token", OURS, PLAIN, EXPERT)
    said = f"Products of large matrices reach {single / 1e9:,.0f} GFLOP/s in float32, {half / 1e9:,.0f} in bfloat16."
    return f"{said}\n\n{table(header, rows)}"


if __name__ == "__main__":
    main()
