"""The findings as a page to be read: verdicts first, then one section per claim."""

from collections.abc import Iterator, Sequence

from mtpeft.findings.rules import DISTANCE_CLAIM
from mtpeft.markdown import table
from mtpeft.record_types import FindingRecord, FindingsRecord, GateRecord, MemberRecord, Outcome

NOTHING = "\N{EN DASH}"
MEASURES = (
    "Effects are in chrF, means over seeds. Intervals are 95 % percentile intervals of {resamples} resamples, in which "
    "test sentences are drawn again, the same for both systems (Koehn 2004), and seeds, matched, bring Student's t. "
    "With one seed an interval speaks of the sentences alone. Where the effect is a correlation over languages, its "
    "interval is by Fisher's z. The least similar half is that of the test sentences which resemble the fine-tuning "
    "text of their pair least. p-values are one-sided; in brackets they are corrected over the members. What holds for "
    "these checkpoints was not tested on base models that differ in the seed of their pre-training only."
)
COLUMNS = ("effect", "95 % interval", "BLEU", "p for", "p against", "seeds", "sentences", "verdict")


def page_of(findings: FindingsRecord) -> str:
    """The page, as Markdown."""
    blocks = ["# Findings", *_verdicts(findings), *_gate(findings.gate, findings.margin)]
    for label, finding in findings.findings.items():
        blocks += _section(label, finding)
    return "\n\n".join(blocks) + "\n"


def number(value: float | None, digits: int = 2) -> str:
    """A number with a true minus sign, or a dash."""
    return NOTHING if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def span(interval: tuple[float, float] | list[float] | None) -> str:
    """An interval."""
    return f"{number(interval[0])} to {number(interval[1])}" if interval else NOTHING


def _verdicts(findings: FindingsRecord) -> Iterator[str]:
    rows = [
        (f"[{label}](#{label})", finding.statement, _scoped(finding), finding.least_similar_verdict)
        for label, finding in findings.findings.items()
    ]
    if rows:
        yield table(("finding", "claim", "verdict", "on the least similar half"), rows)
    else:
        yield "The configuration has no claims; write them under `findings`."
    yield MEASURES.format(resamples=f"{findings.resamples:,}")


def _scoped(finding: FindingRecord) -> str:
    return " ".join([f"**{finding.verdict}**", *([finding.scope] if finding.scope else [])])


def _gate(rows: Sequence[GateRecord], margin: float) -> Iterator[str]:
    yield "## gate"
    yield (
        "Full fine-tuning minus the untouched model (`none`) and minus training from random weights (`scratch`). Only "
        f"where full fine-tuning is shown to be better by more than {margin:g} chrF, tests corrected over the pairs of "
        "one model and size (Holm 1979), does a comparison with it say something of transfer: elsewhere a method that "
        "is on par with it is not counted as such."
    )
    header = ("model", "pair", "size", "minus", "effect", "95 % interval", "p", "seeds", "exceeds the margin")
    lines = [
        (
            *(row.model, row.pair, row.size, row.reference),
            *(number(row.effect), span(row.interval), _p(row.p, row.p_holm), str(row.seeds or NOTHING)),
            f"undecided (needs {row.needs})" if row.needs else "yes" if row.exceeds else "not shown",
        )
        for row in rows
    ]
    yield table(header, lines) if lines else "No study has full fine-tuning beside one of them."


def _section(label: str, finding: FindingRecord) -> Iterator[str]:
    yield f"## {label}"
    verdicts = f"**{finding.verdict.capitalize()}**, on the least similar half {finding.least_similar_verdict}."
    yield f"{finding.statement} {verdicts}"
    yield f"Effect: {finding.effect}."
    yield f"Rule: {finding.rule}"
    if finding.reason:
        yield f"Not tested: {finding.reason}."
    if not finding.members:
        return
    rows = [
        (member.member if part == "all" else "", part, *_numbers(outcome))
        for member in finding.members
        for part, outcome in (("all", member.test), ("least similar", member.least_similar))
    ]
    yield table(("member", "of the test set", *COLUMNS), rows)
    if needs := [line for member in finding.members for line in _needs(member)]:
        yield "\n".join(needs)
    if finding.claim == DISTANCE_CLAIM:
        yield from _falls(finding)


def _numbers(outcome: Outcome) -> list[str]:
    return [
        number(outcome.effect),
        span(outcome.interval),
        number(outcome.bleu_effect),
        _p(outcome.p_for, outcome.p_for_holm),
        _p(outcome.p_against, outcome.p_against_holm),
        str(outcome.seeds or NOTHING),
        str(outcome.sentences or NOTHING),
        f"{outcome.verdict}: {outcome.reason}",
    ]


def _p(p: float | None, corrected: float | None) -> str:
    return NOTHING if p is None else f"{p:.3f} ({corrected:.3f})"


def _needs(member: MemberRecord) -> Iterator[str]:
    """What would decide a member, and which of its cells can't support it."""
    if member.test.needs and member.test.effect is not None:
        yield f"- {member.member}: would be decided with {member.test.needs}."
    if member.step_zero:
        yield f"- {member.member}: step 0 was best on dev in {', '.join(member.step_zero)}."


def _falls(finding: FindingRecord) -> Iterator[str]:
    for member in finding.members:
        details = member.test.details
        if not details:
            continue
        yield (
            f"Over the {member.member}: extra fall {number(details['extra_fall'])} chrF, 95 % interval "
            f"{span(details['extra_fall_interval'])}, from the nearest to the furthest language."
        )
        rows = [
            (name, number(row["distance"], 3), number(row["fall"]), span(row["interval"]))
            for name, row in sorted(details["falls"].items(), key=lambda item: item[1]["distance"])
        ]
        yield table(("pair", member.member, "fall", "95 % interval"), rows)
