"""The sentences on which a claim is tested: all of a test set, and the half least similar to what cells have read."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mtpeft.analysis.claims.known import Known, Read
from mtpeft.analysis.score_tables import TEST_SET
from mtpeft.analysis.systems import Run, Sample, System
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record

ALL, LEAST_SIMILAR = "test", "least_similar"
PARTS = (ALL, LEAST_SIMILAR)
SUBSET = "subset_sha256"


def read_similarities(records: Iterable[Path]) -> dict[Read, np.ndarray]:
    """Greatest similarity of each test sentence to a subset, by pair and hash of the subset."""
    read = [read_record(path) for path in records if path.exists()]
    return {(one["pair"], digest): np.array(found) for one in read for digest, found in one["subsets"].items()}


def subsets_read(systems: Iterable[System]) -> list[Read]:
    """Pair and hash of every subset that the runs of systems were trained on, each once."""
    runs = [run for system in systems for run in system.measured if SUBSET in run.train["inputs"]]
    return list(dict.fromkeys((run.cell.pair, run.train["inputs"][SUBSET]) for run in runs))


def sample_of(part: str, pair: str, systems: Sequence[System], known: Known) -> Sample | None:
    """The rows of a part of a pair's test set; None where the similarities are not known.

    The least similar half is that of the sentences whose greatest similarity to anything that one of the compared runs
    has read is lowest, over all their seeds and sizes, so that it is the same half for both sides of a comparison.

    Raises:
        UserError: the similarities belong to another test set.
    """
    first: Run = systems[0].measured[0]
    (sentences, _) = first.counts[TEST_SET]["chrf"].shape
    rows = np.arange(sentences)
    if part == LEAST_SIMILAR:
        wanted = subsets_read(systems)
        if not wanted or any(read not in known.similarities for read in wanted):
            return None
        found = [known.similarities[read] for read in wanted]
        if other := next((len(own) for own in found if len(own) != sentences), None):
            raise UserError(
                f"The similarities of {pair} are of {other} test sentences, but its scores are of {sentences}; run the "
                "sweep again."
            )
        rows = least_similar_half(np.max(found, axis=0))
    return Sample(TEST_SET, sentences, rows, stream=f"{pair} {part}", resamples=known.resamples)


def least_similar_half(similarities: np.ndarray) -> np.ndarray:
    """Rows below the median similarity, sorted; among equals the earlier ones."""
    order = np.argsort(similarities, kind="stable")
    return np.sort(order[: len(order) // 2])
