"""Similarity of two sentences: the Dice coefficient of the sets of character 4-grams of their normalised texts.

Near-duplicates, the histograms of the data records and the retrieval baseline all use this one definition.
"""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

GRAM = 4
NEAR_DUPLICATE = 0.6
"""Similarity from which on two sentences are near-duplicates, unless the configuration says otherwise."""
CANDIDATES = 500
REFERENCES_AT_ONCE = 10_000
"""Candidates and references that are compared at once: three matrices of 20 MB, however large the corpus."""


class _Collapsing(dict):
    """A table for `str.translate`, filled as characters are met."""

    def __missing__(self, code: int) -> str | int:
        category = unicodedata.category(chr(code))
        # Joiners and soft hyphens stand inside words, all other punctuation, separators and controls between them.
        # Python's \W would also take the vowel signs of Indic scripts, which are marks.
        replacement = "" if category == "Cf" else " " if category[0] in "PZC" else code
        self[code] = replacement
        return replacement


_COLLAPSING = _Collapsing()


def normalised(text: str) -> str:
    """Normalise a text for comparison: NFKC, case folding, one space for each run of punctuation and white space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_COLLAPSING).split())


def grams(text: str) -> set[str]:
    """List the character 4-grams of the normalised text between spaces; a shorter text is its only gram."""
    padded = f" {normalised(text)} "
    if padded.isspace():
        return set()
    return {padded[start : start + GRAM] for start in range(max(1, len(padded) - GRAM + 1))}


def max_dice(candidates: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Compute the similarity of each candidate to its most similar reference.

    Returns:
        Similarities from 0 to 1, of shape [candidates]; 0 where there are no references.
    """
    best = np.zeros(len(candidates), dtype=np.float32)
    for rows, _, scores in _blocks(candidates, references):
        best[rows] = np.maximum(best[rows], scores.max(axis=1))
    return best


def nearest_references(candidates: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Find the index of each candidate's most similar reference: the lowest of equals, 0 where nothing overlaps."""
    best = np.zeros(len(candidates), dtype=np.float32)
    indices = np.zeros(len(candidates), dtype=np.int64)
    for rows, first, scores in _blocks(candidates, references):
        highest = scores.max(axis=1)
        indices[rows] = np.where(highest > best[rows], first + scores.argmax(axis=1), indices[rows])
        best[rows] = np.maximum(best[rows], highest)
    return indices


def nearest_of(candidates: Sequence[str], references: Sequence[str], count: int) -> np.ndarray:
    """Find the indices of each candidate's most similar references, the most similar first: (candidates, count).

    Of equals the lowest comes first, as in `nearest_references`; there are fewer columns where there are fewer
    references.
    """
    wanted = min(count, len(references))
    best = np.full((len(candidates), wanted), -1.0, dtype=np.float32)
    indices = np.zeros((len(candidates), wanted), dtype=np.int64)
    for rows, first, scores in _blocks(candidates, references) if wanted else ():
        known = np.concatenate([best[rows], scores], axis=1)
        places = np.tile(first + np.arange(scores.shape[1]), (len(scores), 1))
        own = np.concatenate([indices[rows], places], axis=1)
        order = np.argsort(-known, axis=1, kind="stable")[:, :wanted]
        best[rows], indices[rows] = (np.take_along_axis(values, order, axis=1) for values in (known, own))
    return indices


def _blocks(candidates: Sequence[str], references: Sequence[str]) -> Iterator[tuple[slice, int, np.ndarray]]:
    """Compute the similarities in blocks: candidates, first reference, and scores [candidates, references]."""
    for first in range(0, len(references), REFERENCES_AT_ONCE):
        reference_grams = [grams(text) for text in references[first : first + REFERENCES_AT_ONCE]]
        vocabulary = {gram: index for index, gram in enumerate(sorted(set().union(*reference_grams)))}
        columns = _incidence(reference_grams, vocabulary).T.tocsr()
        reference_sizes = np.array([len(found) for found in reference_grams], dtype=np.float32)
        for start in range(0, len(candidates), CANDIDATES):
            rows = slice(start, start + CANDIDATES)
            candidate_grams = [grams(text) for text in candidates[rows]]
            sizes = np.array([len(found) for found in candidate_grams], dtype=np.float32)
            shared = (_incidence(candidate_grams, vocabulary) @ columns).toarray()
            yield rows, first, 2 * shared / np.maximum(sizes[:, None] + reference_sizes[None, :], 1)


def _incidence(gram_sets: Sequence[set[str]], vocabulary: dict[str, int]) -> sparse.csr_matrix:
    """Make a matrix with a one where a text has a gram of the vocabulary: shape [texts, grams]."""
    known = [[vocabulary[gram] for gram in found if gram in vocabulary] for found in gram_sets]
    ends = np.cumsum([0, *map(len, known)])
    indices = np.fromiter((index for row in known for index in row), dtype=np.int32, count=ends[-1])
    ones = np.ones(ends[-1], dtype=np.float32)
    return sparse.csr_matrix((ones, indices, ends), shape=(len(known), len(vocabulary)))
