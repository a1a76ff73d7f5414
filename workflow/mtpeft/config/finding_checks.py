"""Check the findings against the rest of a configuration."""

from collections.abc import Iterator

from mtpeft.config.contrasts import claim_params
from mtpeft.config.findings import CATALOGUE_OF, CLAIMS, Finding, named_labels
from mtpeft.config.messages import named_twice
from mtpeft.config.metrics import metric_mistakes
from mtpeft.config.pairs import group_claim_mistakes
from mtpeft.config.schema import Configuration
from mtpeft.config.significance import MOST_TESTS
from mtpeft.core.wording import unknown
from mtpeft.methods import METHODS

PARAMETER_EFFICIENT = ("budgeted", "fixed")


def finding_mistakes(configuration: Configuration) -> Iterator[str]:
    """Find labels that no section has, and methods and budgets that can't be compared."""
    for label, finding in configuration.findings.items():
        for name in ("methods", "smaller"):
            yield from named_twice(f"findings.{label}.{name}", getattr(finding, name, ()))
        mistakes = list(_unknown_labels(configuration, f"findings.{label}", finding))
        mistakes = mistakes or list(_odd_comparisons(configuration, f"findings.{label}", finding))
        if finding.study in configuration.studies:
            mistakes += group_claim_mistakes(f"findings.{label}", configuration.studies[finding.study])
        yield from mistakes or _too_many_contrasts(configuration, label)
        yield from metric_mistakes(configuration, f"findings.{label}.metric", finding.metric)


def _too_many_contrasts(configuration: Configuration, label: str) -> Iterator[str]:
    contrasts = len(claim_params(configuration, label)["members"])
    if contrasts > MOST_TESTS:
        yield (
            f"'findings.{label}' has {contrasts} contrasts, so many that the strictest of their tests could not "
            f"decide; write claims of at most {MOST_TESTS} contrasts each, on studies of fewer pairs, models, sizes or "
            "methods."
        )


def _unknown_labels(configuration: Configuration, key: str, finding: Finding) -> Iterator[str]:
    for name, label in named_labels(finding.model_dump()):
        catalogue = CATALOGUE_OF[name]
        yield from unknown(f"{key}.{name}", [label], getattr(configuration, catalogue), catalogue)


def _odd_comparisons(configuration: Configuration, key: str, finding: Finding) -> Iterator[str]:
    claim = CLAIMS[finding.claim]
    named = named_labels(finding.model_dump())
    for name, method in ((name, label) for name, label in named if name in ("method", "methods")):
        kind = METHODS[configuration.methods[method].method].trains
        if kind not in PARAMETER_EFFICIENT:
            yield f"'{key}.{name}' names '{method}', which is not parameter-efficient; name a method that is."
        elif kind != "budgeted" and claim.needs_budgets:
            yield f"'{key}.{name}' names '{method}', which has one size only; name a method that has budgets."
        elif kind == "budgeted" and "budget" in type(finding).model_fields and finding.budget is None:
            yield f"'{key}.budget' is missing; write the budget of '{method}', a label of 'budgets'."
    for one, other in claim.compared(finding):
        if one == other:
            yield f"'{key}' compares '{one}' with itself; write two different labels."
