"""The mean of a claim's members over languages: what holds on average, where languages are draws from all of them."""

from collections.abc import Sequence

from mtpeft.analysis.claims.differences import LANGUAGES, Comparison, bar, similarities_of, step_zero_of
from mtpeft.analysis.claims.known import Known
from mtpeft.analysis.claims.members import Member, measure
from mtpeft.analysis.claims.rules import Rule
from mtpeft.analysis.contrasts import Estimate, mean_over_languages, pooled

FEWEST = 3
"""Languages below which their differences say too little of how much languages differ."""


def settings_of(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Members that differ in their pair alone, by what is the same for them."""
    found: dict[str, list[Member]] = {}
    for member in members:
        found.setdefault(member.setting, []).append(member)
    return found


def by_language(members: Sequence[Member]) -> dict[tuple[str, ...], list[Member]]:
    """Members by the languages of their pairs: both directions of a language are together."""
    found: dict[tuple[str, ...], list[Member]] = {}
    for member in members:
        found.setdefault(member.languages, []).append(member)
    return found


def name_of(setting: str, members: Sequence[Member]) -> str:
    """What the mean is called."""
    many = len(by_language(members))
    return f"mean over {many} {'language' if many == 1 else 'languages'}" + (f", {setting}" if setting else "")


def averaged(members: Sequence[Member], rule: Rule, known: Known, *, part: str, metric: str) -> Comparison:
    """The mean of the members of one setting over languages, each of which counts once, however many pairs it has."""
    languages = by_language(members)
    lacking = next((needs for member in members if (needs := member.lacking(metric))), "")
    if not lacking and len(languages) < FEWEST:
        lacking = f"at least {FEWEST} languages; there {'is' if len(languages) == 1 else 'are'} {len(languages)}"
    estimates = None if lacking else _mean(languages.values(), known, part=part, setting=members[0].setting)
    bars, kept = (
        [(member, words) for member in members if (words := found(member))]
        for found in (lambda member: bar(member, rule, known), step_zero_of)
    )
    return Comparison(
        estimates=estimates,
        lacking=lacking or ("" if estimates else " and ".join(map(similarities_of, members))),
        barred=_named(bars),
        step_zero=_named(kept),
        draws=LANGUAGES,
    )


def _mean(languages: Sequence[list[Member]], known: Known, *, part: str, setting: str) -> dict[str, Estimate] | None:
    measured = [[measure(member, part, known) for member in members] for members in languages]
    if any(effects is None for own in measured for effects in own):
        return None
    metrics = [name for name in measured[0][0] if all(name in effects for own in measured for effects in own)]
    return {
        name: mean_over_languages(
            [pooled([effects[name] for effects in own]) for own in measured], stream=f"mean {setting} {part}"
        )
        for name in metrics
    }


def _named(said: Sequence[tuple[Member, str]]) -> str:
    """What is said of single members, with their pairs."""
    words = dict.fromkeys(words for _, words in said)
    return "; ".join(f"{', '.join(member.pair for member, own in said if own == text)}: {text}" for text in words)
