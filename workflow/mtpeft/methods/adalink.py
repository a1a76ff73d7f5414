"""A low-rank residual on the embeddings of a side (AdaLink, Wang et al. 2023, arXiv 2310.12100).

Of an encoder-decoder the link may stand before either stack or before both, and in a cell over several pairs each
language of a side may have one of its own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtpeft.core.section import later
from mtpeft.methods.base import LanguageOptions, Method, ModuleSizes, TargetModule
from mtpeft.methods.context import sets_of, tokens_of
from mtpeft.methods.prompt import both_sides, encoder_of
from mtpeft.models.architecture import ModelShape, side_of
from mtpeft.models.tasks import SEQUENCE_TO_SEQUENCE

if TYPE_CHECKING:
    from torch import nn


class AdaLinkOptions(LanguageOptions):
    """`method: adalink`."""

    method: Literal["adalink"]
    side: Literal["encoder", "decoder", "both"] = later(
        "encoder", description="Whose embeddings have a link: the source's, the target's, or both."
    )
    by_language: bool = later(
        False, description="In a cell on several pairs, each language of a side has a link of its own."
    )

    @property
    def is_by_language(self) -> bool:
        """Whether each language of a side has parameters of its own."""
        return self.by_language


def adalink_targets(shape: ModelShape, options: AdaLinkOptions) -> Sequence[TargetModule]:
    """Count d x rank down and rank x d up, before the first layer of a stack, for each language of its side.

    A model with one stack has no place for it.
    """
    if "encoder" not in shape.task.stacks:
        return []
    stacks = [own for own in both_sides(encoder_of(shape)) if options.side in ("both", side_of(own))]
    return [
        TargetModule(module=own, base=0, per_size=_links(own, options) * 2 * shape.d_model, max_size=shape.d_model)
        for own in stacks
    ]


def _links(stack: str, options: AdaLinkOptions) -> int:
    return len(set(options.languages[tokens_of(stack, SEQUENCE_TO_SEQUENCE)])) if options.by_language else 1


def insert_adalink(model: "nn.Module", sizes: ModuleSizes, options: AdaLinkOptions) -> "nn.Module":
    """Let the stacks read their embeddings through a residual that changes nothing at first."""
    from mtpeft.methods.adalink_adapter import AdaLinkConfig
    from mtpeft.methods.base_adapter import insert_adapter

    sets = {
        tokens_of(own, SEQUENCE_TO_SEQUENCE): sets_of(options.languages[tokens_of(own, SEQUENCE_TO_SEQUENCE)])
        for own in sizes
    }
    return insert_adapter(
        model,
        AdaLinkConfig,
        sizes,
        rank=max(sizes.values()),
        rank_pattern=dict(sizes),
        sets=sets if options.by_language else {},
    )


ADALINK = Method(
    options=AdaLinkOptions,
    paper="Wang et al. 2023, Non-Intrusive Adaptation: Input-Centric Parameter-efficient Fine-Tuning for Versatile "
    "Multimodal Modeling (arXiv 2310.12100).",
    where="on the embeddings of a side",
    trains="budgeted",
    size_name="rank",
    target_modules=adalink_targets,
    apply=insert_adalink,
    starts_as_base=True,
)
