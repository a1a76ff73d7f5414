"""The sentences on which a claim is tested: all of a test set, and the half least similar to the fine-tuning text."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mtpeft.errors import UserError
from mtpeft.records import read_record
from mtpeft.results.collect import TEST_SET
from mtpeft.results.systems import Sample, System

ALL, LEAST_SIMILAR = "test", "least_similar"
PARTS = (ALL, LEAST_SIMILAR)


def read_similarities(parts: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Greatest similarity of each test sentence to the fine-tuning text, by pair, from the records of the pairs."""
    return {
        pair: np.array(read_record(path)["similarity_to_test"]["test_to_train"])
        for pair, path in parts.items()
        if path.exists()
    }


def sample_of(part: str, pair: str, system: System, similarities: Mapping[str, np.ndarray]) -> Sample | None:
    """The rows of a part of a pair's test set; None where the similarities are not known.

    Raises:
        UserError: the similarities belong to another test set.
    """
    (sentences, _), *_ = (run.counts[TEST_SET]["chrf"].shape for run in system.measured)
    rows = np.arange(sentences)
    if part == LEAST_SIMILAR:
        if pair not in similarities:
            return None
        if len(similarities[pair]) != sentences:
            raise UserError(
                f"data/pairs/{pair}/parts.json is of {len(similarities[pair])} test sentences, but the scores of the "
                f"pair are of {sentences}; run the sweep again."
            )
        rows = least_similar_half(similarities[pair])
    return Sample(TEST_SET, sentences, rows, stream=f"{pair} {part}")


def least_similar_half(similarities: np.ndarray) -> np.ndarray:
    """Rows below the median similarity, sorted; among equals the earlier ones."""
    order = np.argsort(similarities, kind="stable")
    return np.sort(order[: len(order) // 2])
