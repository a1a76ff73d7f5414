"""One set of parameters for each domain of tokens (Context-PEFT, Hadji-Kyriacou & Arandjelovic 2023, arXiv 2312.08900).

The domain of a token is its side and its language. In an encoder-decoder every linear layer sees the tokens of one side
alone, so that a cell of one pair has one set everywhere, and computes what the method without contexts does. In a cell
over several pairs each language of a side has a set of its own; a language that all pairs share, one for all of them.
The layers of a causal model see both sides, so that they have sets for the languages of both, and take one for each
token.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat

from mtpeft.methods.base import LanguageOptions, Method, ModuleSizes, RankOptions, TargetModule
from mtpeft.methods.bitfit import bias_targets as bitfit_targets
from mtpeft.models.architecture import ModelShape, is_cross, side_of
from mtpeft.models.families import task_of
from mtpeft.models.families.module_names import ALL_NAMES, is_last_of_block
from mtpeft.models.tasks import Task

if TYPE_CHECKING:
    from torch import nn

KEYS_AND_VALUES = tuple(name for names in ALL_NAMES for name in (names.key, names.value))
PAPER = "Hadji-Kyriacou & Arandjelovic 2023, Context-PEFT (arXiv 2312.08900)"


class ContextLoraOptions(RankOptions, LanguageOptions):
    """`method: context_lora`."""

    method: Literal["context_lora"]
    scaling: PositiveFloat = Field(default=2.0, description="Factor on the update.")


class ContextIa3Options(LanguageOptions):
    """`method: context_ia3`."""

    method: Literal["context_ia3"]


class ContextBitFitOptions(LanguageOptions):
    """`method: context_bitfit`."""

    method: Literal["context_bitfit"]


Sides = Literal["source", "target", "both"]


def tokens_of(module: str, task: Task) -> Sides:
    """Return the side whose tokens a layer sees; keys and values of cross-attention are made of the source."""
    if "encoder" not in task.stacks:
        return "both"
    reads_source = is_cross(module) and module.rpartition(".")[2] in KEYS_AND_VALUES
    return "source" if reads_source or side_of(module) == "encoder" else "target"


def sets_of(languages: Sequence[str]) -> list[int]:
    """Return the number of the set that each pair has, given its language on a side."""
    known = list(dict.fromkeys(languages))
    return [known.index(language) for language in languages]


def _sets(module: str, shape: ModelShape, options: LanguageOptions) -> int:
    side = tokens_of(module, shape.task)
    sides = ("source", "target") if side == "both" else (side,)
    return sum(len(set(options.languages[own])) for own in sides)


def low_rank_targets(shape: ModelShape, options: ContextLoraOptions) -> Sequence[TargetModule]:
    """Count rank x (inputs + outputs) beside each linear layer, for each language of its side."""
    return options.sized(
        [
            TargetModule(
                module=linear.module,
                base=0,
                per_size=_sets(linear.module, shape, options) * (linear.inputs + linear.outputs),
                max_size=min(linear.inputs, linear.outputs),
                min_size=0,
            )
            for linear in options.linears(shape)
        ]
    )


def factor_targets(shape: ModelShape, options: ContextIa3Options) -> Sequence[TargetModule]:
    """Count factors on keys, on values, and on what the last layer of a block reads, for each language of a side."""
    widths = {
        linear: linear.outputs if linear.role in ("key", "value") else linear.inputs
        for linear in shape.linears
        if linear.role in ("key", "value") or is_last_of_block(linear.module)
    }
    return [TargetModule.fixed(own.module, _sets(own.module, shape, options) * width) for own, width in widths.items()]


def bias_targets(shape: ModelShape, options: ContextBitFitOptions) -> Sequence[TargetModule]:
    """Count the biases that BitFit trains, of linear layers and of layer norms, for each language of a side."""
    return [
        TargetModule.fixed(own.module, _sets(own.module, shape, options) * own.base) for own in bitfit_targets(shape)
    ]


def insert_contexts(model: "nn.Module", sizes: ModuleSizes, options: LanguageOptions, *, variant: str) -> "nn.Module":
    """Give the target modules a set of parameters for each language."""
    from mtpeft.methods.base_adapter import insert_adapter
    from mtpeft.methods.context_adapter import ContextConfig

    return insert_adapter(
        model,
        ContextConfig,
        sizes,
        variant=variant,
        rank_pattern=dict(sizes) if variant == "lora" else {},
        sides={module: tokens_of(module, task_of(model.config)) for module in sizes},
        sets={side: sets_of(languages) for side, languages in options.languages.items()},
        scaling=options.scaling if isinstance(options, ContextLoraOptions) else 1.0,
    )


def _method(options: type[LanguageOptions], variant: str, **more: Any) -> Method:
    return Method(
        options=options, mergeable=True, apply=partial(insert_contexts, variant=variant), starts_as_base=True, **more
    )


CONTEXT_LORA = _method(
    ContextLoraOptions,
    "lora",
    target_modules=low_rank_targets,
    paper=f"{PAPER}, with LoRA.",
    trains="budgeted",
    size_name="rank",
    where="beside each linear layer",
)
CONTEXT_IA3 = _method(
    ContextIa3Options,
    "ia3",
    target_modules=factor_targets,
    paper=f"{PAPER}, with (IA)3.",
    trains="fixed",
    where="on keys, values and feed-forward blocks",
    decays={"context_factor": False},
)
CONTEXT_BITFIT = _method(
    ContextBitFitOptions,
    "bitfit",
    target_modules=bias_targets,
    paper=f"{PAPER}, with BitFit.",
    trains="fixed",
    where="biases of linear layers and layer norms",
    version=2,
)
