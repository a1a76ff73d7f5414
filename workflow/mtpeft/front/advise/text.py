"""Advice as people read it."""

from collections.abc import Iterator, Sequence

from mtpeft.core.text_tables import aligned
from mtpeft.front.advise.advice import GIGABYTE, Advice, Choice
from mtpeft.front.advise.costs import MEGABYTE
from mtpeft.front.advise.held_out import LEVEL
from mtpeft.front.advise.next_cells import overlay_for, overlay_text
from mtpeft.front.advise.pareto import ALIKE
from mtpeft.metrics.base import METRICS, Metric

MINUTE, MINUTES_PER_HOUR = 60, 60


def advice_text(advice: Advice) -> str:
    """Write the whole answer."""
    blocks = (_asked(advice), _near(advice), _choices(advice), _rests_on(advice), _errors(advice), _next(advice))
    return "\n\n".join("\n".join(lines) for block in blocks if (lines := list(block)))


def next_overlay(advice: Advice) -> str:
    """Write the overlay that runs the next cells; empty where there are none."""
    return overlay_text(overlay_for(advice.asked, [own.cell for own in advice.next])) if advice.next else ""


def _asked(advice: Advice) -> Iterator[str]:
    request = advice.asked.request
    limit = "any memory" if request.memory is None else f"{request.memory:g} GB of memory"
    languages = f"{request.languages} language{'s' if request.languages > 1 else ''} to deploy"
    yield f"{request.model}, {request.pair}, {request.pairs:,} sentence pairs, {limit}, {languages}"


def _near(advice: Advice) -> Iterator[str]:
    yield from advice.nearness.says


def _choices(advice: Advice) -> Iterator[str]:
    request, untouched = advice.asked.request, advice.nearness.untouched
    metric = METRICS[request.metric].title
    scored = advice.nearness.is_near
    header = [
        "method",
        "budget",
        "trained",
        *([metric] if scored and untouched is not None else []),
        *(["gain", f"{LEVEL:.0%} interval"] if scored else []),
        "memory, GB",
        "minutes",
        "stored, MB",
        f"{request.languages} deployed, MB",
    ]
    if not advice.front:
        yield "No choice is left: each needs more memory, or is not expected to gain anything."
    else:
        yield aligned([header, *(_row(own, untouched, METRICS[request.metric]) for own in advice.front)])
    if scored:
        yield (
            f"Of {advice.choices} choices these are those that no other one beats in gain, memory, time and bytes; "
            f"costs that differ by less than {ALIKE - 1:.0%} count as equal."
        )
        if untouched is not None:
            score = f"{untouched:.{METRICS[request.metric].digits_of_scores}f} {metric}"
            yield f"The untouched model has {score}. Deployed bytes count it once where it is needed."
    else:
        yield "These are all choices with what they cost; no gain is told."
    if advice.too_large:
        yield f"More than {request.memory:g} GB need: {', '.join(advice.too_large)}."
    if advice.never_run:
        yield f"Never run anywhere, so that nothing is said of them: {', '.join(advice.never_run)}."


def _row(choice: Choice, untouched: float | None, metric: Metric) -> list[str]:
    own, cost, scores = choice.gain, choice.cost, []
    if own is not None:
        gains = [f"{value:.{metric.digits_of_scores}f}" for value in (own.mean, own.low, own.high)]
        scores = [gains[0], f"{gains[1]} to {gains[2]}"]
        if untouched is not None:
            scores.insert(0, f"{untouched + metric.sign * own.mean:.{metric.digits_of_scores}f}")
    return [
        choice.cell.method,
        choice.cell.budget,
        f"{choice.share:.2%}",
        *scores,
        f"{cost.memory / GIGABYTE:.1f}",
        f"{cost.seconds / MINUTE:.1f}",
        f"{cost.stored / MEGABYTE:,.1f}",
        f"{cost.deployed / MEGABYTE:,.0f}",
    ]


def _rests_on(advice: Advice) -> Iterator[str]:
    rows = [
        (f"{own.cell.method} {own.cell.budget}", found.name, found.gain.text, f"{likeness:.2f}")
        for own in advice.front
        for found, likeness in own.rests_on
    ]
    if rows:
        yield "What it rests on: the finished systems that are most like each, their gain, and how alike they are."
        yield aligned([("choice", "finished", "gain", "likeness"), *_once(rows)])


def _once(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Leave a label out where the row above has the same."""
    before = ""
    for label, *others in rows:
        yield ("" if label == before else label, *others)
        before = label


def _errors(advice: Advice) -> Iterator[str]:
    if advice.held_out:
        metric = METRICS[advice.asked.request.metric]
        yield (
            f"How far it is off: {advice.regression} over {len(advice.experience.systems)} systems, each predicted "
            "from others."
        )
        header = ("left out", f"mean error, {metric.title}", f"in intervals of {LEVEL:.0%}")
        yield aligned(
            [
                header,
                *(
                    (name, f"{own.mean_error:.{metric.digits}f}", f"{own.coverage:.0%}")
                    for name, own in advice.held_out.items()
                ),
            ]
        )
        used = " and ".join(f"'{name}'" for name in advice.nearness.schemes if name in advice.held_out)
        if advice.nearness.is_near:
            yield f"The intervals above are the widest that {used} ask for."
    where = "measured here" if advice.scales.is_here else "in the tables, from the machines that made them"
    systems = len(advice.scales.cells)
    yield f"Memory and bytes are computed and scaled by {systems} finished systems, times by those {where}."


def _next(advice: Advice) -> Iterator[str]:
    if not advice.next:
        return
    metric, digits = (getattr(METRICS[advice.asked.request.metric], name) for name in ("title", "digits"))
    if any(own.change for own in advice.next):
        yield f"What to run next: the cells by which the choice gains most {metric} for each hour, as is expected."
        rows = [
            (
                own.cell.path,
                f"{own.hours * MINUTES_PER_HOUR:.1f}",
                f"{own.change:.{digits}f}",
                f"{own.change / own.hours:.1f}",
            )
            for own in advice.next
        ]
        yield aligned([("cell", "minutes", f"change, {metric}", "in an hour"), *rows])
    else:
        yield "What to run next: no cell is expected to change the choice, so check the first choices."
        rows = [(own.cell.path, f"{own.hours * MINUTES_PER_HOUR:.1f}") for own in advice.next]
        yield aligned([("cell", "minutes"), *rows])
