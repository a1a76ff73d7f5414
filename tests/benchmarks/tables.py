"""Tables of measurements: medians over the repetitions, and ratios within them."""

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.measure import Measurement
from mtpeft.core.text_tables import table

Measured = Mapping[tuple[str, str], Sequence[Measurement]]
"""Measurements by the label of a case and the name of a side, in the order of the repetitions."""
OURS = "this workflow"
MERGED = "this workflow, `merged: true`"
PLAIN = "as it comes"
EXPERT = "as an expert sets it"
SIDES = (OURS, PLAIN, EXPERT)
"""Names of the sides; the second is the Trainer and its `predict`, the third the Trainer and `generate`."""
NOTHING = "–"


def training_table(measured: Measured) -> str:
    """Write the training of each case on each side."""
    header = (
        *("model and method", "trainer", "tokens per second", "of processor time", "time, ours = 1"),
        *("padding", "memory, MB", "beyond the libraries", "dev score, ours = 0"),
    )
    rows = []
    for case, side in measured:
        own, ours = measured[case, side], measured[case, OURS]
        rows.append(
            [
                *_speeds(case, side, own, ours),
                f"{own[0].more['padding']:.0%}",
                *_memory(own),
                _difference([one.more["dev_score"] for one in own], [one.more["dev_score"] for one in ours]),
            ]
        )
    return table(header, rows)


def decoding_table(measured: Measured) -> str:
    """Write the decoding of each case on each side."""
    header = (
        *("model and method", "decoder", "sentences per second", "of processor time", "time, ours = 1"),
        *("sentences in a batch", "memory, MB", "beyond the libraries", "hypotheses equal to ours"),
    )
    rows = []
    for case, side in measured:
        own, ours = measured[case, side], measured[case, OURS]
        equal = [a == b for a, b in zip(own[0].more["hypotheses"], ours[0].more["hypotheses"], strict=True)]
        rows.append(
            [
                *_speeds(case, side, own, ours),
                str(own[0].more.get("batch", NOTHING)),
                *_memory(own),
                f"{sum(equal) / len(equal):.1%}",
            ]
        )
    return table(header, rows)


def _speeds(case: str, side: str, own: Sequence[Measurement], ours: Sequence[Measurement]) -> list[str]:
    """Return what both tables begin with; the ratio is the median of those within a repetition."""
    ratios = [a.seconds / a.amount * b.amount / b.seconds for a, b in zip(own, ours, strict=True)]
    spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if side != OURS and len(ratios) > 1 else ""
    return [
        case,
        side,
        number(median(one.amount / one.wall for one in own)),
        number(median(one.amount / one.cpu for one in own)),
        f"{median(ratios):.2f}{spread}",
    ]


def _memory(own: Sequence[Measurement]) -> list[str]:
    return [number(median(one.megabytes for one in own)), number(median(one.added for one in own))]


def _difference(own: Sequence[float | None], ours: Sequence[float | None]) -> str:
    """Return the median difference of scores; trainings of one side are equal in all repetitions, but for rounding."""
    pairs = [(a, b) for a, b in zip(own, ours, strict=True) if a is not None and b is not None]
    return f"{median(a - b for a, b in pairs):+.2f}" if pairs else NOTHING


def number(value: float) -> str:
    """Write a number with three digits, or as many as it has before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
