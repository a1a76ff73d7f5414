"""What can be wrong between the parts of a configuration whose form is right."""

import re
from collections.abc import Iterator

from mtpeft.cells import JOIN, LABEL_PATTERN, LONGEST_LABEL, RESERVED, unsafe_label
from mtpeft.config import corpora, held_out, methods, models, pairs, rate_search, studies, training
from mtpeft.config.comet_checks import comet_mistakes
from mtpeft.config.finding_checks import finding_mistakes
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import EFFICIENCY

CATALOGUES = ("corpora", "pairs", "sizes", "models", "methods", "budgets", "studies", "findings")


def _unsafe_labels(configuration: Configuration) -> Iterator[str]:
    for catalogue in CATALOGUES:
        for label in getattr(configuration, catalogue):
            if not re.fullmatch(LABEL_PATTERN, label):
                yield unsafe_label(catalogue, label)
            elif len(label) > LONGEST_LABEL:
                yield (
                    f"'{catalogue}' has a label of {len(label)} characters, '{label[:20]}…', but folders and files are "
                    f"named by labels; write {LONGEST_LABEL} at most."
                )
            elif catalogue == "pairs" and JOIN in label:
                yield f"'pairs' has the label '{label}', but a plus joins the pairs of a group; write another sign."
            elif label in RESERVED or (catalogue == "studies" and label == EFFICIENCY):
                yield f"'{catalogue}' has the label '{label}', which has a meaning of its own; choose another one."


STAGES = (
    (_unsafe_labels,),
    (
        corpora.mistakes,
        pairs.mistakes,
        corpora.pair_mistakes,
        models.mistakes,
        methods.mistakes,
        rate_search.mistakes,
    ),
    (corpora.hash_mistakes,),
    (comet_mistakes,),
    (corpora.present_in_mistakes, studies.mistakes, training.study_mistakes),
    (models.study_mistakes, methods.study_mistakes),
    (held_out.mistakes,),
    (finding_mistakes,),
)
"""The checks of all sections: those of a stage take for granted that those before it have found nothing."""


def complaints(configuration: Configuration) -> Iterator[str]:
    """One sentence per mistake; later stages are only asked where earlier ones find nothing."""
    for stage in STAGES:
        found = list(dict.fromkeys(mistake for check in stage for mistake in check(configuration)))
        yield from found
        if found:
            return
