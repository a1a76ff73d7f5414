"""What can be wrong with the pairs that a study scores besides those that it tunes on."""

from collections.abc import Iterator

from mtpeft.cells import members_of
from mtpeft.config.figures import OTHERS, needs_table
from mtpeft.config.schema import Configuration
from mtpeft.config.sentences import listed, unknown
from mtpeft.config.studies import NONE


def also_score_mistakes(configuration: Configuration, label: str) -> Iterator[str]:
    """Pairs that no figure would show, that have no row before tuning, or that no catalogue has."""
    study, key = configuration.studies[label], f"studies.{label}.also_score"
    is_drawn = needs_table(configuration, label, OTHERS)
    if is_drawn and not study.also_score:
        yield f"'{key}' is missing; write the pairs on which it is seen what tuning on others costs."
    if not study.also_score:
        return
    if not is_drawn:
        yield f"'{key}' is for another figure; write a study of its own with figure: forgetting; cells are shared."
    yield from unknown(key, study.also_score, configuration.pairs, "pairs")
    if NONE not in configuration.methods:
        yield f"'{key}' compares with the untouched model, which 'methods' lacks; add 'none: {{tuner: none}}' there."
    tuned = {pair for block in study.blocks for pair in block.pairs}
    if len(tuned) == 1 and set(study.also_score) <= {*members_of(*tuned)}:
        own = listed(sorted({*study.also_score}))
        yield f"'{key}' names {own} alone, which the study tunes on; write another pair."
