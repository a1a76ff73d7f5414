"""The claim that a smaller budget costs more for languages that are further from English, or from another one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from mtpeft.analysis.findings.claim import ALPHA, Claim
from mtpeft.analysis.findings.number_formats import NOTHING, number, span
from mtpeft.config.contrasts import ContrastParams, contrasts_on_pairs, study_of
from mtpeft.config.findings import Finding, MethodLabel
from mtpeft.config.schema import Configuration
from mtpeft.core.languages import ENGLISH, languages_with_distances, main_language
from mtpeft.core.text_tables import table
from mtpeft.core.value_types import Language
from mtpeft.metrics.base import METRICS

if TYPE_CHECKING:
    from mtpeft.analysis.findings.contrasts import ClaimContext, Contrast
    from mtpeft.analysis.findings.records import ContrastRecord, FindingRecord


class FallsFasterWithDistance(Finding):
    """From one budget to a smaller one, quality falls more for languages that are further from one of them."""

    claim: Literal["falls_faster_with_distance"]
    method: MethodLabel
    budgets: list[str] = Field(min_length=2, max_length=2, description="Two labels of `budgets`.")
    distance_from: Language = Field(default=ENGLISH, description="Language that distances are measured from.")


def contrasts(configuration: Configuration, finding: FallsFasterWithDistance) -> Iterator[ContrastParams]:
    """The method at both budgets on each pair."""
    return contrasts_on_pairs(
        configuration,
        finding,
        methods=[finding.method],
        budgets_of=lambda configuration, finding, method: finding.budgets,
        with_gain=True,
    )


def lacks(configuration: Configuration, finding: FallsFasterWithDistance) -> Iterator[str]:
    """Only languages may differ within the study."""
    for name in ("models", "sizes"):
        if len(study_of(configuration, finding).labels(name)) > 1:
            yield f"'studies.{finding.study}.{name}' has more than one"
    if main_language(finding.distance_from) not in languages_with_distances():
        yield f"no distance is known from '{finding.distance_from}'"


def decide(contrasts: "Sequence[Contrast]", context: "ClaimContext", *, metric: str) -> "list[ContrastRecord]":
    """One record for each kind of distance."""
    from mtpeft.analysis.findings.distance import distance_records

    return distance_records(contrasts, context, metric=metric)


def tables_of_falls(finding: "FindingRecord") -> Iterator[str]:
    """A table of the languages for each kind of distance, with what its correlation becomes in other respects."""
    metric = METRICS[finding.metric]
    digits, name = metric.digits, metric.title
    for member in finding.members:
        details = member.test.details
        if not details:
            continue
        yield (
            f"Over the {member.member}: extra fall {number(details['extra_fall'], digits)} {name}, 95 % interval "
            f"{span(details['extra_fall_interval'], digits)}, from the nearest to the furthest language."
        )
        if "share_of_gain" in details:
            yield _in_other_respects(details)
        rows = [
            (
                pair,
                number(row["distance"], 3),
                number(row["fall"], digits),
                span(row["interval"], digits),
                *(_shares(row) if "share_of_gain" in details else ()),
            )
            for pair, row in sorted(details["falls"].items(), key=lambda item: (item[1]["distance"], item[0]))
        ]
        header = ["pair", member.member, "fall", "95 % interval"]
        if "share_of_gain" in details:
            header += ["gain kept, larger and smaller budget", "share lost", "95 % interval of it", "at step 0"]
        yield table(header, rows)


def _in_other_respects(details: Mapping[str, Any]) -> str:
    shares, given = details["share_of_gain"], details["given_untouched"]
    return (
        "A fall can't exceed what was gained. As a share of what full fine-tuning gains over the untouched model, over "
        f"the {shares['languages']} languages where it is shown to gain, the correlation of the fall with distance is "
        f"{_correlation(shares)}. With the score of the untouched model held fixed (partial correlation) that of the "
        f"fall itself is {_correlation(given)}. Neither decides the claim."
    )


def _correlation(found: Mapping[str, Any]) -> str:
    if "effect" not in found:
        return "not known, for want of languages with such scores"
    p_values = f"p {found['p_for']:.4f} for and {found['p_against']:.4f} against"
    return f"{number(found['effect'])} ({span(found['interval'])}; {p_values})"


def _shares(row: Mapping[str, Any]) -> tuple[str, ...]:
    kept, step_zero = row["kept"], f"{row['step_zero']} of {row['tuned']}"
    if kept is None:
        return (row["not_shared"], NOTHING, NOTHING, step_zero)
    shares = f"{number(100 * kept['larger'], 0)} % and {number(100 * kept['smaller'], 0)} %"
    return (shares, number(row["lost_share"]), span(row["lost_share_interval"]), step_zero)


FALLS_FASTER_WITH_DISTANCE = Claim(
    options=FallsFasterWithDistance,
    contrasts=contrasts,
    lacks=lacks,
    compared=lambda finding: [tuple(finding.budgets)],
    needs_full=False,
    needs_budgets=True,
    statement="Between {budgets} the quality of {method} falls more for more distant languages.",
    effect="Spearman's correlation over languages of their distance from English, or from what the finding names, and "
    "their fall, which is {metric} at the larger budget minus {metric} at the smaller one, in the mean over the pairs "
    "of a language. The gap to full fine-tuning changes by the same amount",
    decision="Supported if a one-sided permutation test over the languages, each of which counts once, shows a "
    "positive correlation, refuted if one shows a negative one. The claim is supported if one of the kinds of distance "
    f"supports it, corrected over them (Holm 1979), and refuted if all refute it, each at {ALPHA:g}.",
    needs_gain=True,
    decide=decide,
    holds_for_one=True,
    effect_is_score=False,
    details=tables_of_falls,
)
