"""Show how an untouched base model translates a dev set, so that a person sees whether its files are read correctly."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from mtpeft.core.records import AtWork, Translation
from mtpeft.data.language_identification import most_likely

EXAMPLES, FIRST_TOKENS = 3, 12
LOW_CHRF = 10.0
"""Below this a model does not translate: between languages of one script a copied source has more."""
EMPTY_SHARE = 0.1
"""Share of empty translations above which there is a warning."""
COPIED_SHARE = 0.5
"""Share of translations that copy their sources above which there is a warning."""
SHOWN = 100
"""Characters of a sentence that are shown on the terminal."""


def at_work(
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    source_tokens: Sequence[str],
    begins_with: Sequence[str],
    score: float,
) -> AtWork:
    """Return what the record says of the translations of a dev set.

    Args:
        sources: sentences of the dev set.
        hypotheses: their translations by the model.
        references: their translations by people.
        source_tokens: tokens of the first sentence as the model reads it.
        begins_with: tokens that decoding begins with.
        score: chrF of all translations.
    """
    triples = list(zip(sources, hypotheses, references, strict=True))
    shown = [row for row in triples if row[1].strip()] or triples
    step = max(1, len(shown) // EXAMPLES)
    return AtWork(
        source_tokens=list(source_tokens[:FIRST_TOKENS]),
        decoding_begins_with=list(begins_with),
        examples=[
            Translation(source=source, hypothesis=hypothesis, reference=reference)
            for source, hypothesis, reference in shown[: EXAMPLES * step : step]
        ],
        doubts=list(_doubts(sources, hypotheses, references, score=score)),
    )


def _doubts(
    sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str], *, score: float
) -> Iterator[str]:
    """Yield a message for each thing that a translation model should not do."""
    total = len(hypotheses)
    empty = sum(not hypothesis.strip() for hypothesis in hypotheses)
    if total > 1 and len(set(hypotheses)) == 1:
        yield f"all {total} translations are the same"
    elif empty > EMPTY_SHARE * total:
        yield f"{empty} of {total} translations are empty"
    copied = sum(
        hypothesis.strip() == source.strip() != reference.strip()
        for source, hypothesis, reference in zip(sources, hypotheses, references, strict=True)
    )
    if copied > COPIED_SHARE * total:
        yield f"{copied} of {total} translations are copies of their sources"
    (found, _), (wanted, _) = most_likely(" ".join(hypotheses)), most_likely(" ".join(references))
    if empty < total and found != wanted:
        yield f"the translations read as '{found}', the references as '{wanted}'"
    if score < LOW_CHRF:
        yield (
            f"chrF {score:.1f} is what a model has that never learnt to translate this pair; if it did, its files "
            "are not read as they were meant"
        )


def first_translations_lines(model: str, pair: str, score: float, seen: AtWork) -> list[str]:
    """Return lines for the terminal about the first translations of a model."""
    return [
        f"mtpeft: '{model}' untouched on the dev set of {pair}: chrF {score:.1f}",
        f"  reads        {' '.join(seen.source_tokens)} …",
        f"  begins with  {' '.join(seen.decoding_begins_with)}",
        *(line for example in seen.examples for line in _example_lines(example)),
        *doubt_lines(model, pair, seen),
    ]


def doubt_lines(model: str, pair: str, seen: AtWork) -> list[str]:
    """Return lines for the terminal about what may be wrong with a model."""
    return [f"mtpeft: look at '{model}' on {pair}: {doubt}." for doubt in seen.doubts]


def _example_lines(example: Translation) -> Iterator[str]:
    names = ("source", "hypothesis", "reference")
    for mark, name in zip_longest("-", names, fillvalue=" "):
        yield f"  {mark} {name:<10} {_short(getattr(example, name))}"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
