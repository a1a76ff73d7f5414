"""One set of parameters for each domain of tokens (Context-PEFT, Hadji-Kyriacou & Arandjelovic 2023, arXiv 2312.08900).

The domain of a token is its side and its language. In an encoder-decoder every linear layer sees the tokens of one side
alone, so that a cell of one pair has one set everywhere, and computes what the method without contexts does. In a cell
over several pairs each language of a side has a set of its own; a language that all pairs share, one for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat

from mtpeft.methods.base import Method, Site, TrainedMethodOptions
from mtpeft.methods.bitfit import bias_sites as bitfit_sites
from mtpeft.methods.target_modules import LinearsOptions, at_every_budget, chosen_linears
from mtpeft.models.architecture import ModelShape, is_cross, side_of

if TYPE_CHECKING:
    from torch import nn

SOURCE, TARGET = "source", "target"
KEYS_AND_VALUES = ("k_proj", "v_proj", "k", "v")
ONE_PAIR: Mapping[str, Sequence[str]] = {SOURCE: ("",), TARGET: ("",)}
"""Languages of the pairs of a cell, by side, where it does not matter which they are."""
PAPER = "Hadji-Kyriacou & Arandjelovic 2023, Context-PEFT (arXiv 2312.08900)"


class ContextLoraOptions(LinearsOptions):
    """`method: context_lora`."""

    method: Literal["context_lora"]
    scaling: PositiveFloat = Field(default=2.0, description="Factor on the update.")


class ContextIa3Options(TrainedMethodOptions):
    """`method: context_ia3`."""

    method: Literal["context_ia3"]


class ContextBitFitOptions(TrainedMethodOptions):
    """`method: context_bitfit`."""

    method: Literal["context_bitfit"]


def tokens_of(module: str) -> Literal["source", "target"]:
    """The side whose tokens a layer of this name sees: keys and values of cross-attention are those of the source."""
    reads_source = is_cross(module) and module.rpartition(".")[2] in KEYS_AND_VALUES
    return SOURCE if reads_source or side_of(module) == "encoder" else TARGET


def sets_of(languages: Sequence[str]) -> list[int]:
    """The number of the set that each pair has, given its language on a side."""
    known = list(dict.fromkeys(languages))
    return [known.index(language) for language in languages]


def _sets(module: str, options: Mapping[str, Any]) -> int:
    return len(set(options.get("languages", ONE_PAIR)[tokens_of(module)]))


def low_rank_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """Beside each linear layer, for each language of its side: rank x (inputs + outputs)."""
    sites = [
        Site(
            module=linear.module,
            fixed=0,
            step=_sets(linear.module, options) * (linear.inputs + linear.outputs),
            most=min(linear.inputs, linear.outputs),
            least=0,
        )
        for linear in chosen_linears(shape, options)
    ]
    return at_every_budget(sites, options)


def factor_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """For each language of a side: factors on keys, on values, and on what the last layer of a block reads."""
    widths = {
        linear: linear.outputs if linear.role in ("key", "value") else linear.inputs
        for linear in shape.linears
        if linear.role in ("key", "value") or is_last_of_block(linear.module)
    }
    return [Site.of_one_size(linear.module, _sets(linear.module, options) * width) for linear, width in widths.items()]


def bias_sites(shape: ModelShape, options: Mapping[str, Any]) -> Sequence[Site]:
    """For each language of a side: the biases that BitFit trains, those of linear layers and of layer norms."""
    return [Site.of_one_size(site.module, _sets(site.module, options) * site.fixed) for site in bitfit_sites(shape, {})]


def is_last_of_block(module: str) -> bool:
    """Whether a linear layer is the last one of a feed-forward block."""
    return module.rpartition(".")[2] in ("fc2", "wo")


def insert_contexts(
    model: "nn.Module", sizes: Mapping[str, int], options: Mapping[str, Any], *, variant: str
) -> "nn.Module":
    """Give layers their sets."""
    from peft import get_peft_model

    from mtpeft.methods.context_adapter import ContextConfig

    languages = options.get("languages", ONE_PAIR)
    config = ContextConfig(
        task_type="SEQ_2_SEQ_LM",
        target_modules=list(sizes),
        variant=variant,
        rank_pattern=dict(sizes) if variant == "lora" else {},
        sides={module: tokens_of(module) for module in sizes},
        sets={side: sets_of(given) for side, given in languages.items()},
        scaling=options.get("scaling", 1.0),
    )
    return get_peft_model(model, config)


def _method(
    options: type[TrainedMethodOptions], variant: str, sites: Callable[..., Sequence[Site]], **more: Any
) -> Method:
    return Method(
        options=options,
        mergeable=True,
        by_language=True,
        sites=sites,
        apply=partial(insert_contexts, variant=variant),
        starts_as_base=True,
        **more,
    )


CONTEXT_LORA = _method(
    ContextLoraOptions,
    "lora",
    low_rank_sites,
    paper=f"{PAPER}, with LoRA.",
    trains="sized",
    size_name="rank",
    places="beside each linear layer",
)
CONTEXT_IA3 = _method(
    ContextIa3Options,
    "ia3",
    factor_sites,
    paper=f"{PAPER}, with (IA)3.",
    trains="point",
    places="on keys, values and feed-forward blocks",
    decays={"context_factor": False},
)
CONTEXT_BITFIT = _method(
    ContextBitFitOptions,
    "bitfit",
    bias_sites,
    paper=f"{PAPER}, with BitFit.",
    trains="point",
    places="biases of linear layers and layer norms",
    version=2,
)
