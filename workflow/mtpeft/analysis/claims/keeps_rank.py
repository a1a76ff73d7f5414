"""The claim that tuning leaves the hidden states as many directions as they had."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mtpeft.analysis.findings.claim import Claim
from mtpeft.config.contrasts import ContrastParams, all_budgets, seeds_of_systems, study_of, system_block
from mtpeft.config.figures import REPRESENTATIONS_TABLE, needs_table
from mtpeft.config.findings import Finding, Owner
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import untouched
from mtpeft.core.value_types import Share

if TYPE_CHECKING:
    from mtpeft.analysis.findings.contrasts import ClaimContext, Contrast
    from mtpeft.analysis.findings.records import ContrastRecord

MarginOfRank = Annotated[
    Share, Field(description="Share of the untouched model's effective rank, within which a rank counts as kept.")
]


class KeepsRank(Finding):
    """The effective rank of the hidden states behind the last layer of each side is no lower than before the tuning.

    Kim et al. 2024 (arXiv 2411.00029) ask it of vision and language. It is no claim of the paper that is reproduced
    here. The study has `figure: representations`.
    """

    claim: Literal["keeps_rank"]
    of: Owner = Field(default="models", description="Whose claim it is, as for the others.")
    methods: list[str] = Field(min_length=1, description="Labels of `methods`.")
    minus: Literal["none"] = Field(default="none", description="What is compared with: the untouched model.")
    margin: MarginOfRank


def contrasts(configuration: Configuration, finding: KeepsRank) -> Iterator[ContrastParams]:
    """Each method at each of its budgets minus the untouched model, on each model, pair and size of the study."""
    study, seeds = study_of(configuration, finding), seeds_of_systems(configuration)
    for labels in seeds:
        model, pair, size, method, budget = labels
        is_asked = method in finding.methods and budget in all_budgets(configuration, finding, method)
        lists = {"models": model, "pairs": pair, "sizes": size}
        if not is_asked or any(label not in study.labels(name) for name, label in lists.items()):
            continue
        before = untouched(model, pair).labels[:-1]
        side = {"pair": pair, "language": None, "full": None}
        yield {
            "name": ", ".join((*labels[3:], *labels[:3])),
            **side,
            "peft": [system_block(seeds, *labels)],
            "minus": {"name": finding.minus, **side, "peft": [system_block(seeds, *before)]},
        }


def lacks(configuration: Configuration, finding: KeepsRank) -> Iterator[str]:
    """A study that measures no ranks."""
    if not needs_table(configuration, finding.study, REPRESENTATIONS_TABLE):
        yield f"'studies.{finding.study}' has another figure than 'representations'"


def decide(contrasts: "Sequence[Contrast]", context: "ClaimContext", *, metric: str) -> "list[ContrastRecord]":
    """One record for each contrast and side."""
    from mtpeft.analysis.findings.ranks import rank_records

    return rank_records(contrasts, context)


KEEPS_RANK = Claim(
    options=KeepsRank,
    contrasts=contrasts,
    lacks=lacks,
    decide=decide,
    needs_full=False,
    reads_ranks=True,
    effect_is_score=False,
    statement="Tuned by {methods}, the last layers keep the effective rank of their hidden states, within a share of "
    "{margin}.",
    effect="effective rank of the hidden states of all tokens of the dev set behind the last layer of a side, relative "
    "to that of the untouched model, minus 1; the intervals are of resampled dev sentences and seeds",
    decision="Supported if the rank is shown not to be lower by the share that the claim names, refuted if it is shown "
    "to be lower by more.",
)
