"""An example of a metric that runs in an environment of its own: the normalised edit similarity of characters.

Its program, which needs rapidfuzz, is `edit_similarity_program.py`. To use it:

    modules: [workflow/examples/edit_similarity.py]
    edit_similarity: {case: false}

The workflow then installs rapidfuzz beside itself and scores every cell, and tables have the columns of the metric. A
metric with a trained model also names `find_model`, which says where that lies (see `mtpeft/metrics/comet/metric.py`).
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from mtpeft.core.section import Section
from mtpeft.metrics.base import Metric
from mtpeft.metrics.own_environment import OwnEnvironment, mean_score


class EditSimilarity(Section):
    """Scoring by normalised edit similarity of characters."""

    case: bool = Field(default=True, description="Whether upper and lower case differ.")


def score_params(section: EditSimilarity) -> dict[str, Any]:
    """Params besides the text on which the scores depend."""
    return {"case": section.case}


EDIT_SIMILARITY = Metric(
    name="edit_similarity",
    title="edit similarity",
    margin=0.01,
    corpus_score=mean_score,
    scale="0 to 1",
    digits=3,
    digits_of_scores=3,
    environment=OwnEnvironment(
        requirements=("rapidfuzz==3.13.0",),
        package="rapidfuzz",
        program=Path(__file__).with_name("edit_similarity_program.py"),
        section=EditSimilarity,
        section_help="Scores of edit similarity. Empty: none.",
        score_params=score_params,
    ),
)
