"""Compute the committed table of language distances; run once by hand, see README.md beside this file."""

import sys
from pathlib import Path

import lang2vec.lang2vec as uriel
import numpy

# Two-letter codes as they appear in pair labels; three-letter codes under which URIEL holds both feature sets.
# Norwegian Bokmål has no genealogical vector of its own in URIEL, so it takes that of Norwegian.
LANGUAGES = {
    "ar": "ara", "bg": "bul", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "es": "spa",
    "et": "est", "fi": "fin", "fr": "fra", "ga": "gle", "he": "heb", "hi": "hin", "hu": "hun", "id": "ind",
    "it": "ita", "ja": "jpn", "ko": "kor", "lt": "lit", "lv": "lav", "nb": "nor", "nl": "nld", "pl": "pol",
    "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv", "sv": "swe", "sw": "swa", "tr": "tur",
    "uk": "ukr", "vi": "vie", "zh": "zho",
}  # fmt: skip
ENGLISH = "eng"
FEATURE_SETS = {"syntactic": "syntax_knn", "genealogical": "fam"}


def distances_to_english(feature_set: str) -> dict[str, float]:
    """One minus the cosine of the language's vector and that of English, by three-letter code."""
    codes = sorted(set(LANGUAGES.values()))
    vectors = {
        code: numpy.array(values, dtype=float)
        for code, values in uriel.get_features([ENGLISH, *codes], feature_set).items()
    }
    english = vectors[ENGLISH] / numpy.linalg.norm(vectors[ENGLISH])
    return {code: float(1 - vectors[code] @ english / numpy.linalg.norm(vectors[code])) for code in codes}


def main(path: Path) -> None:
    """Write the table, sorted by language."""
    columns = {name: distances_to_english(feature_set) for name, feature_set in FEATURE_SETS.items()}
    lines = [",".join(["language", "iso639_3", *columns])]
    for language, code in sorted(LANGUAGES.items()):
        lines.append(",".join([language, code, *(f"{distances[code]:.4f}" for distances in columns.values())]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
