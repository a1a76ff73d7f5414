"""What a sweep says at its end: translations, what its cells decide, what was made, what failed, and how to go on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.cells import OnPair
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import EFFICIENCY
from mtpeft.core.files import read_if_whole
from mtpeft.core.text_tables import tally
from mtpeft.front.example_translations import example_translations
from mtpeft.front.page.after_sweep import PAGE
from mtpeft.front.preview import FINDINGS
from mtpeft.front.status import failures, state_of
from mtpeft.front.watch.jobs import Jobs
from mtpeft.front.watch.lines import failure_lines, last_lines
from mtpeft.steps.cells_of_studies import figures_folder, placed_cells, placed_others, results_folder

QUICK = "quick"
"""Name of the study file of `make quick`."""
MOST_FINDINGS, MOST_NAMES = 5, 3
STATE_FILE = "state/state.safetensors"
"""The saved state of a training, in the folder of its cell."""


def finished_lines(configuration: Configuration, overlays: Sequence[Path], minutes: str) -> Iterator[str]:
    """Translations, what the cells decide, the files that were made, the next command, and how many are finished.

    Args:
        configuration: of the sweep.
        overlays: its study files.
        minutes: how long it took.
    """
    yield from example_translations(configuration)
    results = results_folder(configuration)
    if decided := list(decided_lines(results / f"{FINDINGS}.json")):
        yield from ["", "What the cells decide:", *(f"  {line}" for line in decided), ""]
    figures = [figures_folder(configuration) / f"{label}.pdf" for label in (*configuration.studies, EFFICIENCY)]
    yield from (f"  {file}" for file in (*figures, results / f"{FINDINGS}.md", results / PAGE) if file.exists())
    yield next_command(configuration, overlays)
    yield f"{tally_line(configuration)}, {minutes}"


def tally_line(configuration: Configuration) -> str:
    """How many cells are finished, and which of them have diverged, which is a result as well."""
    cells = [cell.on_own for cell in placed_cells(configuration)]
    states = {on: state_of(configuration, *on) for on in (*cells, *placed_others(configuration))}
    diverged = [on.cell.path for on in cells if states[on] == "diverged"]
    line = f"{tally(_counted(states, cells), _counted(states, placed_others(configuration)))} are finished"
    if not diverged:
        return line
    more = f" and {len(diverged) - MOST_NAMES} more" if len(diverged) > MOST_NAMES else ""
    return f"{line}, {len(diverged)} of them diverged ({', '.join(diverged[:MOST_NAMES])}{more})"


def _counted(states: Mapping[OnPair, str], wanted: Sequence[OnPair]) -> tuple[int, int]:
    return sum(states[on] in ("done", "diverged") for on in wanted), len(wanted)


def decided_lines(record: Path) -> Iterator[str]:
    """Sentences on what findings have decided: claims first, then what full fine-tuning brings."""
    read = read_if_whole(record)
    lines = [*_claims(read[0]["findings"]), *_gate(read[0]["gate"])] if read else []
    yield from lines[:MOST_FINDINGS]


def _claims(findings: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for finding in findings.values():
        if finding["verdict"] != "undecided":
            yield f"{finding['statement']} {finding['verdict'].capitalize()}."


def _gate(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What full fine-tuning is better than, where its interval does not hold 0."""
    names = {"none": "the untouched model", "scratch": "training from random weights"}
    for row in rows:
        low, high = row["interval"] or (0.0, 0.0)
        if low <= 0 <= high:
            continue
        word, other = "better" if low > 0 else "worse", names[row["reference"]]
        yield (
            f"Full fine-tuning of {row['model']} on {row['pair']} with {row['size']} is {abs(row['effect']):.1f} chrF "
            f"{word} than {other} (95 % interval {min(abs(low), abs(high)):.1f} to {max(abs(low), abs(high)):.1f})."
        )


def next_command(configuration: Configuration, overlays: Sequence[Path]) -> str:
    """What a user may want to do next."""
    page = results_folder(configuration) / PAGE
    first = f"Next: open {page} in a browser" if page.exists() else "Next: `make page` writes a page for a browser"
    if configuration.study_file.split("+")[0] != QUICK:
        return f"{first}; `make report` puts figures, captions and run times into one file."
    own = " ".join(str(file) for file in overlays if Path(file).stem != QUICK)
    config = f" CONFIG={own}" if own else ""
    return f"{first}; `make plan{config}` says what the whole study takes, and `make figures{config}` runs it."


def failed_lines(configuration: Configuration, jobs: Jobs, output: Path | None) -> Iterator[str]:
    """Each failed step with its reason and the end of its log, those of this sweep first, and how to go on.

    Args:
        configuration: of the sweep.
        jobs: of the sweep; where none has failed, Snakemake itself has.
        output: file with what Snakemake has printed, if that was not shown.
    """
    failed = jobs.failed()
    yield from failure_lines(failed)
    if not failed and output is not None and output.is_file():
        yield f"Snakemake has failed; the last lines of {output}:"
        yield from (f"    {line}" for line in last_lines(output))
    told = {file for job in failed for file in job.output}
    for target, line in failures([*placed_cells(configuration), *placed_others(configuration)]).items():
        if target not in told:
            yield line
    yield "Not everything could be made; the same command goes on where this one stopped."


def stopped_lines(configuration: Configuration, jobs: Jobs, minutes: str, *, whole: bool) -> Iterator[str]:
    """What a sweep that was stopped has kept, and how to go on."""
    half = sum((cell.folder / STATE_FILE).exists() for cell in placed_cells(configuration))
    done = tally_line(configuration) if whole else f"{len(jobs.ended())} of {jobs.total} jobs are finished"
    going_on = f", and {half} half-trained cells go on from their saved state" if half else ""
    yield f"mtpeft: after {minutes.rstrip('.')} {done}; what is finished is kept{going_on}."
    yield "mtpeft: the same command goes on where this one stopped."
