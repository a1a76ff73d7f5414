"""Low-rank updates of every linear layer (LoRA, Hu et al. 2021, arXiv 2106.09685), through peft.

The paper gives a rank and a list of layers; here a budget may take their place, which says the rank of each layer. Both
matrices may start in other ways than in the paper, and the second may have a learning rate of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat
from pydantic_core import PydanticCustomError

from mtpeft.core.section import later
from mtpeft.methods.base import Inputs, Method, ModuleSizes, RankOptions, TargetModule
from mtpeft.methods.budget import count
from mtpeft.methods.embeddings import EMBEDDINGS_OPTION, beside_embeddings, embedding_targets
from mtpeft.methods.new_entries import new_entry_parameters
from mtpeft.models.architecture import ModelShape

if TYPE_CHECKING:
    from torch import nn

Initialisation = Literal["kaiming", "gaussian", "pissa", "olora", "eva", "corda"]
USUAL = "kaiming"
FROM_TEXT = ("eva", "corda")
"""Initialisations that are made of what the layers read of the training text."""
SHIFTED = ("pissa", "olora", "corda")
"""Initialisations under which neither matrix is zero: what their product is at first, is taken off again."""
REFUSED_INITIALISATIONS = {
    "loftq": "needs a base model that is rounded while the update is made; write 'pissa'",
    "lora_ga": "needs a gradient of every weight of the base model, and with it the memory of full fine-tuning; write "
    "'eva' or 'corda', which need what the layers read",
    "orthogonal": "needs even ranks, and a budget gives odd ones as well; write 'olora'",
    "mica": "trains one of the two matrices, which is another method; write 'pissa'",
}
"""Initialisations that peft has and that can't be asked for, each with the reason and what to write instead."""


def _known(given: Any) -> Any:
    if given in REFUSED_INITIALISATIONS:
        raise PydanticCustomError("refused", "{reason}", {"reason": REFUSED_INITIALISATIONS[given]})
    return given


class LoraOptions(RankOptions):
    """`method: lora`."""

    method: Literal["lora"]
    scaling: PositiveFloat = Field(
        default=2.0,
        description="Factor on the update: alpha divided by the rank; with `rank_stabilised`, alpha itself.",
    )
    embeddings: bool = EMBEDDINGS_OPTION
    rank_stabilised: bool = later(
        False,
        description="Alpha is divided by the root of the rank (rsLoRA, Kalajdzievski 2023, arXiv 2312.03732).",
    )
    dora: bool = later(
        False,
        description="The length of each weight vector is trained apart from its direction (DoRA, Liu et al. 2024, "
        "arXiv 2402.09353).",
    )
    initialisation: Annotated[Initialisation, BeforeValidator(_known)] = later(
        USUAL,
        description="How both matrices start: `kaiming` and `gaussian` by chance, `pissa` (arXiv 2404.02948) and "
        "`olora` (arXiv 2406.01775) from the weights, `eva` (arXiv 2410.07170) and `corda` (arXiv 2406.05223) from "
        "what the layers read of the training text.",
    )
    b_rate: PositiveFloat = later(
        1.0,
        description="Learning rate of B, the matrix that makes the output, in multiples of that of A (LoRA+, Hayou et "
        "al. 2024, arXiv 2402.12354).",
    )


def lora_targets(shape: ModelShape, options: LoraOptions) -> Sequence[TargetModule]:
    """Count rank x (inputs + outputs) beside the linear layers of both sides, with DoRA a length per output."""
    updates = [
        TargetModule(
            module=linear.module,
            base=linear.outputs if options.dora else 0,
            per_size=linear.inputs + linear.outputs,
            max_size=min(linear.inputs, linear.outputs),
            min_size=0,
        )
        for linear in options.linears(shape)
    ]
    return [*options.sized(updates), *embedding_targets(shape, wanted=options.embeddings)]


def insert_lora(model: "nn.Module", sizes: ModuleSizes, options: LoraOptions) -> "nn.Module":
    """Give every linear layer an update of its own rank.

    Alpha follows the rank, so that the scaling is one for all; where the scaling goes with the root of the rank, alpha
    is one for all.
    """
    from peft import LoraConfig

    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.lora_adapter import LoraEmbeddingsConfig
    from mtpeft.methods.lora_start_adapter import start_from_weights

    ranks = beside_embeddings(sizes)
    tuned = insert_adapter(
        model,
        # Peft's own type where it serves, so that the folder opens without this package.
        LoraConfig if len(ranks) == len(sizes) else LoraEmbeddingsConfig,
        sizes,
        rank_pattern=ranks,
        alpha_pattern={
            module: options.scaling * (1 if options.rank_stabilised else rank) for module, rank in ranks.items()
        },
        use_rslora=options.rank_stabilised,
        use_dora=options.dora,
        lora_dropout=0.0,
        **({"init_lora_weights": "gaussian"} if options.initialisation == "gaussian" else {}),
    )
    return start_from_weights(tuned, options.initialisation)


def _fit(model: "nn.Module", options: LoraOptions, sentences: Iterable[Inputs]) -> None:
    from mtpeft.methods.lora_start_adapter import start_from_text

    start_from_text(model, options.initialisation, sentences)


def _finish(model: "nn.Module") -> "nn.Module":
    from mtpeft.methods.lora_start_adapter import with_plain_updates

    return with_plain_updates(model)


def _stored(shape: ModelShape, options: LoraOptions, sizes: ModuleSizes) -> int:
    """Count the updates twice: with each stands what its product is at first."""
    updates = beside_embeddings(sizes)
    trained = count(lora_targets(shape, options), sizes) + new_entry_parameters(shape)
    return trained + count(lora_targets(shape, options), updates)


def _varies(options: LoraOptions) -> Mapping[str, Any]:
    changed: dict[str, Any] = {"fit": _fit} if options.initialisation in FROM_TEXT else {}
    if options.initialisation in SHIFTED:
        changed |= {"finish": _finish, "stored_parameters": _stored, "copies_weights": True}
    if options.b_rate != 1.0:
        changed["rate_factor"] = lambda name, options: options.b_rate if "lora_B" in name else 1.0
    return changed


LORA = Method(
    options=LoraOptions,
    paper="Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models (arXiv 2106.09685).",
    where="beside each linear layer",
    mergeable=True,
    trains="budgeted",
    size_name="rank",
    target_modules=lora_targets,
    apply=insert_lora,
    starts_as_base=True,
    varies=_varies,
)
