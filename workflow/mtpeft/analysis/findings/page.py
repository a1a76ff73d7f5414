"""The findings as a page to be read: verdicts first, then one section per claim."""

from collections.abc import Iterator, Sequence

from mtpeft.analysis.findings.claim import MEAN, NOT_REPRODUCED, PAPER, REFUTED, claim_named, worded
from mtpeft.analysis.findings.number_formats import NOTHING, number, p_value, span
from mtpeft.analysis.findings.records import ContrastRecord, FindingRecord, FindingsRecord, Outcome, SanityCheckRecord
from mtpeft.core.text_tables import table
from mtpeft.metrics.base import DEFAULT_METRIC, METRICS

MEASURES = """\
How to read the numbers:

- Effects are means over seeds, in chrF where the claim names no other metric.
- Intervals are 95 % percentile intervals of {resamples} resamples.
  Test sentences are resampled, the same for both systems (Koehn 2004), and matched seeds add a term with Student's t.
  With one seed, an interval covers the choice of test sentences only.
- The interval of a correlation over languages is by Fisher's z.
- A mean over languages takes them as draws from all languages: its interval covers test sentences and, by a term with
  Student's t, languages.
- The least similar half has the test sentences that resemble least what the compared cells, all their seeds together,
  were fine-tuned on; text that the base model saw in pre-training is not considered.
- p-values are one-sided, except for effects outside a margin, which can lie on either side.
  Those in brackets are corrected over the members of a claim (Holm 1979).
  There is no correction over claims: each is tested at {alpha:g}.
- Metrics besides that of the claim have p-values of their own, which decide nothing.
- *For these checkpoints* means that the claim was not tested on base models that differ only in the seed of their
  pre-training."""
WORDING = (
    f"A claim of the paper that a test speaks against is called *{NOT_REPRODUCED}*: the models here are not those of "
    f"the paper. *{REFUTED.capitalize()}* is said of claims on the models at hand."
)
COLUMNS = ("effect", "95 % interval", "other metrics", "p for", "p against", "seeds", "sentences", "verdict")


def page_of(findings: FindingsRecord) -> str:
    """The page, as Markdown."""
    blocks = [
        "# Findings",
        *_verdicts(findings),
        *_sanity_checks(findings.gate, findings.margins[DEFAULT_METRIC]),
    ]
    blocks += _untouched(findings.untouched)
    for label, finding in findings.findings.items():
        blocks += _section(label, finding)
    return "\n\n".join(blocks) + "\n"


def _verdicts(findings: FindingsRecord) -> Iterator[str]:
    rows = [
        (
            f"[{label}](#{label})",
            finding.statement,
            _scoped(finding),
            worded(finding.least_similar_verdict, finding.of),
            _other(finding),
        )
        for label, finding in findings.findings.items()
    ]
    if rows:
        yield table(("finding", "claim", "verdict", "on the least similar half", "asked otherwise"), rows)
    else:
        yield "The configuration has no claims; write them under `findings`."
    yield MEASURES.format(resamples=f"{findings.resamples:,}", alpha=findings.alpha)
    if any(finding.of == PAPER for finding in findings.findings.values()):
        yield WORDING


def _scoped(finding: FindingRecord) -> str:
    words = f"**{worded(finding.verdict, finding.of)}**"
    return " ".join([words, *([finding.scope] if finding.scope else [])])


def _other(finding: FindingRecord) -> str:
    """The verdicts on the same claim where it is asked of the mean in place of every pair, or the reverse."""
    words = {"every": "for every pair", "mean": "in the mean over languages"}
    others = {over: found for over, found in finding.verdicts.items() if over != finding.over}
    asked = [
        f"{words[over]} {worded(found.test, finding.of)}" for over, found in others.items() if _is_tested(finding, over)
    ]
    return ", ".join(asked) or NOTHING


def _is_tested(finding: FindingRecord, over: str) -> bool:
    rows = finding.mean if over == MEAN else finding.members
    return any(row.test.effect is not None for row in rows)


def _sanity_checks(rows: Sequence[SanityCheckRecord], margin: float) -> Iterator[str]:
    yield "## gate"
    yield (
        "Full fine-tuning minus the untouched model (`none`) and minus training from random weights (`scratch`). A "
        "comparison with full fine-tuning says something about transfer only if full fine-tuning is shown to be better "
        f"by more than {margin:g} chrF; these tests are corrected over the pairs of one model and size (Holm 1979). "
        "Where it is not shown to beat the untouched model by that much, no method is counted as on par with it."
    )
    header = ("model", "pair", "size", "minus", "effect", "95 % interval", "p", "seeds", "exceeds the margin")
    lines = [
        (
            *(row.model, row.pair, row.size, row.reference),
            *(number(row.effect), span(row.interval), p_value(row.p, row.p_holm), str(row.seeds or NOTHING)),
            f"undecided (needs {row.needs})" if row.needs else "yes" if row.exceeds else "not shown",
        )
        for row in rows
    ]
    yield table(header, lines) if lines else "No study has full fine-tuning beside one of them."


def _untouched(rows: Sequence[SanityCheckRecord]) -> Iterator[str]:
    """The sanity checks of the untouched models."""
    if not rows:
        return
    yield "## untouched models"
    yield (
        "The untouched model minus training from random weights, and minus the nearest training source (`retrieval`), "
        "at the smallest size. A model that can translate a pair is better than both; each test is at 0.05."
    )
    lines = [
        (
            *(row.model, row.pair, row.size, row.reference),
            *(number(row.effect), span(row.interval), NOTHING if row.p is None else f"{row.p:.4f}"),
            row.warning or (f"needs {row.needs}" if row.needs else "better"),
        )
        for row in rows
    ]
    yield table(("model", "pair", "size", "minus", "effect", "95 % interval", "p", "what it says"), lines)


def _section(label: str, finding: FindingRecord) -> Iterator[str]:
    yield f"## {label}"
    half = worded(finding.least_similar_verdict, finding.of)
    verdicts = f"**{worded(finding.verdict, finding.of).capitalize()}**, on the least similar half {half}."
    yield f"{finding.statement} {verdicts}"
    yield f"Effect: {finding.effect}."
    yield f"Rule: {finding.rule}"
    if finding.reason:
        yield f"Not tested: {finding.reason}."
    if not finding.members:
        return
    yield table(("member", "of the test set", *COLUMNS), _rows(finding.members, finding))
    if any(row.test.effect is not None for row in finding.mean):
        yield table(("over languages", "of the test set", *COLUMNS), _rows(finding.mean, finding))
    elif finding.over == MEAN:
        yield "\n".join(f"- {row.member}: {row.test.reason}." for row in finding.mean)
    if needs := [line for member in (*finding.members, *finding.mean) for line in _needs(member)]:
        yield "\n".join(needs)
    if details := claim_named(finding.claim).details:
        yield from details(finding)


def _rows(members: Sequence[ContrastRecord], finding: FindingRecord) -> list[tuple[str, ...]]:
    return [
        (member.member if part == "all" else "", part, *_numbers(outcome, finding))
        for member in members
        for part, outcome in (("all", member.test), ("least similar", member.least_similar))
    ]


def _numbers(outcome: Outcome, finding: FindingRecord) -> list[str]:
    digits = _digits(finding, finding.metric)
    return [
        number(outcome.effect, digits),
        span(outcome.interval, digits),
        _in_metrics(outcome, finding),
        p_value(outcome.p_for, outcome.p_for_holm),
        p_value(outcome.p_against, outcome.p_against_holm),
        str(outcome.seeds or NOTHING),
        str(outcome.sentences or NOTHING),
        f"{worded(outcome.verdict, finding.of)}: {outcome.reason}",
    ]


def _digits(finding: FindingRecord, metric: str) -> int:
    """Digits of effects after the point; an effect that is no difference of scores has two."""
    return METRICS[metric].digits if claim_named(finding.claim).effect_is_score else 2


def _in_metrics(outcome: Outcome, finding: FindingRecord) -> str:
    """The effect in the other metrics, with intervals and the p-values for and against."""
    shown = []
    for name, found in outcome.metrics.items():
        digits = _digits(finding, name)
        p_values = "" if found.p_for is None else f", p {found.p_for:.4f} and {found.p_against:.4f}"
        between = f" ({span(found.interval, digits)}{p_values})" if found.interval else ""
        shown.append(f"{METRICS[name].title} {number(found.effect, digits)}{between}")
    return "; ".join(shown) or NOTHING


def _needs(member: ContrastRecord) -> Iterator[str]:
    """Sample sizes that would decide a member, and its cells that can't support it."""
    if member.test.needs and member.test.effect is not None:
        yield f"- {member.member}: would be decided with {member.test.needs}."
    if member.step_zero and not member.test.languages:
        yield f"- {member.member}: step 0 was best on dev in {', '.join(member.step_zero)}."
