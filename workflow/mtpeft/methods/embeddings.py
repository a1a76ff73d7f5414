"""The embedding matrix: trained alone, or beside another method and within its budget."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtpeft.core.section import later
from mtpeft.methods.base import Method, ModuleSizes, TargetModule, TrainedMethodOptions
from mtpeft.models.architecture import ModelShape
from mtpeft.models.families.module_names import ALL_NAMES

if TYPE_CHECKING:
    from torch import nn

EMBEDDINGS_OPTION = later(
    False,
    description="The embedding matrix is trained too, within the same budget.",
)


EMBEDDING_MODULES = tuple(names.embeddings for names in ALL_NAMES)
"""The embedding matrix, under the first of its names, in all families."""


class EmbeddingsOptions(TrainedMethodOptions):
    """`method: embeddings`."""

    method: Literal["embeddings"]


def beside_embeddings(sizes: ModuleSizes) -> dict[str, int]:
    """Return the sizes of the target modules that are no embedding matrix."""
    return {module: size for module, size in sizes.items() if module not in EMBEDDING_MODULES}


def embedding_targets(shape: ModelShape, *, wanted: bool = True) -> Sequence[TargetModule]:
    """Count the matrix that the embeddings of both sides and the output projection share (vocabulary x d), once."""
    return [TargetModule.fixed(shape.embedding_module, shape.embeddings)] if wanted else []


def train_matrix(model: "nn.Module", sizes: ModuleSizes, options: EmbeddingsOptions) -> "nn.Module":
    """Put one trained matrix in the place of the embeddings of both sides and of the output projection."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.embeddings_adapter import EmbeddingsConfig

    return insert_adapter(model, EmbeddingsConfig, sizes)


EMBEDDINGS = Method(
    options=EmbeddingsOptions,
    paper="Reference: what new words alone can bring.",
    where="the embedding matrix",
    mergeable=True,
    trains="fixed",
    target_modules=lambda shape, options: embedding_targets(shape),
    apply=train_matrix,
    starts_as_base=True,
)
