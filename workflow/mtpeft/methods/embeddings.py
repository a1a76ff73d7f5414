"""The embedding matrix: alone, or beside another method and within its budget."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtpeft.core.section import later
from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families import bart, t5

if TYPE_CHECKING:
    from torch import nn

EMBEDDING_MODULES = (bart.EMBEDDINGS, t5.EMBEDDINGS)
"""The embedding matrix, under the first of its names, in all families."""

EMBEDDINGS_OPTION = later(
    False,
    description="The embedding matrix is trained too, within the same budget.",
)


class EmbeddingsOptions(TrainedMethodOptions):
    """`method: embeddings`."""

    method: Literal["embeddings"]


def beside_embeddings(sizes: Mapping[str, int]) -> dict[str, int]:
    """Sizes of the places that are no embedding matrix."""
    return {module: size for module, size in sizes.items() if module not in EMBEDDING_MODULES}


def embedding_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """The embedding matrix (vocabulary x d), if the options of a sized method ask for it."""
    return [embedding_site(shape)] if options.get("embeddings") else []


def embedding_site(shape: ModelShape) -> Site:
    """The matrix that the embeddings of both sides and the output projection share, counted once."""
    return Site.of_one_size(shape.embedding_module, shape.embeddings)


def train_matrix(model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any]) -> "nn.Module":
    """Put one trained matrix in the place of the embeddings of both sides and of the output projection."""
    from peft import get_peft_model

    from mtpeft.methods.embeddings_adapter import EmbeddingsConfig

    return get_peft_model(model, EmbeddingsConfig(task_type="SEQ_2_SEQ_LM", target_modules=list(sizes)))


EMBEDDING_MATRIX = Method(
    options=EmbeddingsOptions,
    paper="Reference: what new words alone can bring.",
    places="the embedding matrix",
    mergeable=True,
    trains="point",
    sites=lambda shape, options: [embedding_site(shape)],
    apply=train_matrix,
    starts_as_base=True,
)
