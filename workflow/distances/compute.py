"""Compute the committed table of language distances; run once by hand, see README.md beside this file."""

import sys
from itertools import permutations
from pathlib import Path

import lang2vec.lang2vec as uriel
import numpy

# Two-letter codes as they appear in pair labels; three-letter codes under which URIEL holds both feature sets.
# Norwegian Bokmål has no genealogical vector of its own in URIEL, so it takes that of Norwegian.
LANGUAGES = {
    "ar": "ara", "en": "eng", "bg": "bul", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "es": "spa",
    "et": "est", "fi": "fin", "fr": "fra", "ga": "gle", "he": "heb", "hi": "hin", "hu": "hun", "id": "ind",
    "it": "ita", "ja": "jpn", "ko": "kor", "lt": "lit", "lv": "lav", "nb": "nor", "nl": "nld", "pl": "pol",
    "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv", "sv": "swe", "sw": "swa", "tr": "tur",
    "uk": "ukr", "vi": "vie", "zh": "zho",
}  # fmt: skip
FEATURE_SETS = {"syntactic": "syntax_knn", "genealogical": "fam"}


def vectors(feature_set: str) -> dict[str, numpy.ndarray]:
    """The vector of each language, of length 1, by three-letter code."""
    features = uriel.get_features(sorted(set(LANGUAGES.values())), feature_set)
    found = {code: numpy.array(values, dtype=float) for code, values in features.items()}
    return {code: vector / numpy.linalg.norm(vector) for code, vector in found.items()}


def main(path: Path) -> None:
    """Write the table: one row for each two languages, in both orders."""
    columns = {name: vectors(feature_set) for name, feature_set in FEATURE_SETS.items()}
    lines = [",".join(["origin", "language", *columns])]
    for origin, language in permutations(sorted(LANGUAGES), 2):
        pair = LANGUAGES[origin], LANGUAGES[language]
        distances = [1 - own[pair[0]] @ own[pair[1]] for own in columns.values()]
        lines.append(",".join([origin, language, *(f"{max(0.0, float(distance)):.4f}" for distance in distances)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
