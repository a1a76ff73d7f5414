"""Sentence splitting of the versions of a message, side by side, and lengths of sentences in any script."""

import re
from collections.abc import Callable, Sequence

from mtpeft.data.markup import same_masks

# Scripts without spaces between words: first ideographs and kana, then alphabets.
_DENSE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan, Dzongkha: its marks stand between syllables
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Burmese, Shan
    "\u1780-\u17ff\u19e0-\u19ff"  # Khmer
    "\u1950-\u19df\u1a20-\u1aaf\uaa80-\uaadf\U00011700-\U0001174f"  # Tai scripts
    "\u1a00-\u1a1f\u1b00-\u1b7f\ua980-\ua9df]"  # Buginese, Balinese, Javanese
)
DENSE_LETTERS = 2.5
"""Letters of an alphabet that carry as much as one ideograph."""
DENSE_PER_WORD = 1.7
"""Ideographs of an average word."""
UNSPACED_PER_WORD = 5.0
"""Letters of an average word in an alphabet without spaces."""

# A single line feed inside a sentence only wraps it.
_SPACE = re.compile(r"\s+")
_LINE_BREAK = re.compile(r"\n\n|(?<=[.!?:;…。！？：；])\n")
# Each run of stops is looked at once, from its beginning.
_BREAK = re.compile(r"(?P<spaced>(?<![.!?…।؟])[.!?…।؟]++[\"'”’»)\]]*+)\s+|(?<=[。！？])(?![”’」』）。！？])\s*")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:\w|\w+\.\w+(?:\.\w+)*"
    r"|approx|bzw|ca|dr|eg|ej|etc|evtl|ex|excl|fig|ggf|inc|incl|max|min|mr|mrs|ms|no|nr|örn|st|usw|vs)\.$",
    re.IGNORECASE,
)


def letters(text: str) -> float:
    """Measure the length of a text in letters of an alphabet: an ideograph counts as 2.5."""
    return len(text) + (DENSE_LETTERS - 1) * len(_DENSE.findall(text))


def words(text: str) -> float:
    """Count words: parts between spaces, and an estimate by the number of characters in scripts without spaces."""
    dense, spaced = _DENSE.subn(" ", text)[::-1]
    unspaced, rest = _UNSPACED.subn(" ", spaced)[::-1]
    return len(rest.split()) + dense / DENSE_PER_WORD + unspaced / UNSPACED_PER_WORD


def aligned_sentences(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Split the versions of one message into sentences, side by side.

    Versions are split into lines where all of them have equally many, and lines likewise into sentences, which must
    have the same masked items on all sides. Where one sentence was written and a translator has made two of it, it
    stays in one piece. Where several sentences were written and the versions do not agree, there is no result: a piece
    of several sentences could hold a test sentence of another pair, and be too long for a similarity to find it.

    Args:
        texts: versions of the message, first as it was written, then its translations.
    """
    rows = []
    for lines in _aligned(texts, _lines) or [tuple(" ".join(text.split()) for text in texts)]:
        in_one_piece = [lines] if len(_sentences(lines[0])) == 1 else []
        rows += _aligned(lines, _sentences) or in_one_piece
    return rows


def _aligned(texts: Sequence[str], split: Callable[[str], list[str]]) -> list[tuple[str, ...]]:
    """Split texts into parts side by side; there are none where their numbers or their masked items differ."""
    parts = [split(text) for text in texts]
    if len({len(part) for part in parts}) > 1:
        return []
    rows = list(zip(*parts, strict=True))
    return rows if all(same_masks(row) for row in rows) else []


def _lines(text: str) -> list[str]:
    lines = _LINE_BREAK.split(_SPACE.sub(_one_space, "\n".join(text.splitlines())))
    return [" ".join(line.split()) for line in lines if line.strip()]


def _one_space(run: re.Match[str]) -> str:
    """Reduce white space to one space, or to the line feeds in it, at most two."""
    return "\n" * min(run[0].count("\n"), 2) or " "


def _sentences(line: str) -> list[str]:
    """Split a line into sentences after full stops where no lower-case letter or digit follows."""
    sentences, start = [], 0
    for match in _BREAK.finditer(line):
        end = match.end("spaced") if match["spaced"] else match.start()
        following = line[match.end() : match.end() + 1]
        if not following or (match["spaced"] and (following.islower() or following.isdigit())):
            continue
        if match["spaced"] and _ABBREVIATION.search(_last_word(line, start, end)):
            continue
        sentences.append(line[start:end].strip())
        start = match.end()
    return [*sentences, line[start:].strip()]


def _last_word(line: str, start: int, end: int) -> str:
    return line[max(start, line.rfind(" ", start, end) + 1) : end]
