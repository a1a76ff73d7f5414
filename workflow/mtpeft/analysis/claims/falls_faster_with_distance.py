"""What stands beside the correlation of distance and fall: falls of the languages, and shares of the gain."""

from collections.abc import Iterator, Mapping
from typing import Any

from mtpeft.analysis.findings.number_formats import NOTHING, number, span
from mtpeft.analysis.findings.records import FindingRecord
from mtpeft.core.text_tables import table
from mtpeft.metrics.names import DIGITS, NAMES


def falls_of(finding: FindingRecord) -> Iterator[str]:
    """A table of the languages for each kind of distance, with what its correlation becomes in other respects."""
    digits, name = DIGITS[finding.metric], NAMES[finding.metric]
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
            for pair, row in sorted(details["falls"].items(), key=lambda item: item[1]["distance"])
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
    told = f"{number(100 * kept['larger'], 0)} % and {number(100 * kept['smaller'], 0)} %"
    return (told, number(row["lost_share"]), span(row["lost_share_interval"]), step_zero)
