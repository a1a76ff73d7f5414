"""How alike two sentences are: Dice coefficient of the sets of character 4-grams of their normalised texts.

Near-duplicates, the histograms of the data records and the retrieval baseline all use this one definition.
"""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

GRAM = 4
# From this similarity on, two sentences are near-duplicates, unless the configuration says otherwise.
NEAR_DUPLICATE = 0.6
# How many of each are compared at once: three matrices of 20 MB, however large the corpus.
CANDIDATES = 500
REFERENCES = 10_000


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
    """Text after NFKC and case folding, every run of punctuation and white space made one space."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_COLLAPSING).split())


def grams(text: str) -> set[str]:
    """Character 4-grams of the normalised text with a space on both sides; a shorter text is its own only gram."""
    padded = f" {normalised(text)} "
    if padded.isspace():
        return set()
    return {padded[start : start + GRAM] for start in range(max(1, len(padded) - GRAM + 1))}


def max_dice(candidates: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Similarity of each candidate to its most similar reference: shape [candidates], 0 to 1, 0 without references."""
    best = np.zeros(len(candidates), dtype=np.float32)
    for rows, _, scores in _blocks(candidates, references):
        best[rows] = np.maximum(best[rows], scores.max(axis=1))
    return best


def nearest(candidates: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Index of the most similar reference of each candidate: the lowest of equals, 0 where nothing overlaps."""
    best = np.zeros(len(candidates), dtype=np.float32)
    indices = np.zeros(len(candidates), dtype=np.int64)
    for rows, first, scores in _blocks(candidates, references):
        highest = scores.max(axis=1)
        indices[rows] = np.where(highest > best[rows], first + scores.argmax(axis=1), indices[rows])
        best[rows] = np.maximum(best[rows], highest)
    return indices


def _blocks(candidates: Sequence[str], references: Sequence[str]) -> Iterator[tuple[slice, int, np.ndarray]]:
    """Blocks of the matrix of similarities: which candidates, the first reference, scores [candidates, references]."""
    for first in range(0, len(references), REFERENCES):
        reference_grams = [grams(text) for text in references[first : first + REFERENCES]]
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
    """Which text has which gram of the vocabulary: ones, shape [texts, grams]."""
    known = [[vocabulary[gram] for gram in found if gram in vocabulary] for found in gram_sets]
    ends = np.cumsum([0, *map(len, known)])
    indices = np.fromiter((index for row in known for index in row), dtype=np.int32, count=ends[-1])
    ones = np.ones(ends[-1], dtype=np.float32)
    return sparse.csr_matrix((ones, indices, ends), shape=(len(known), len(vocabulary)))
