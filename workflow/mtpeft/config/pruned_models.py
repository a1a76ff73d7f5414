"""The source `prune` of a base model: fewer weights, neurons or heads."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from mtpeft.config import healing
from mtpeft.config.healing import Healing
from mtpeft.config.model_origins import known_ancestors, origin_of
from mtpeft.config.model_shapes import model_folder, pretrain_languages, shape_if_known
from mtpeft.core.errors import UserError
from mtpeft.core.section import Section
from mtpeft.core.value_types import Share
from mtpeft.core.wording import unknown
from mtpeft.models.derived.pretrain import mbart_config
from mtpeft.models.derived.prune import Kind, kept_of, why_not
from mtpeft.models.families import read_json

if TYPE_CHECKING:
    from mtpeft.config.schema import Configuration


class Pruning(Section):
    """Another model of `models` without a share of its weights, neurons or heads: those of least magnitude."""

    model: str = Field(description="A label of `models`.")
    kind: Kind = Field(
        description="`weights`: single weights of the linear layers become zero, and stay so in training. "
        "`feed_forward` and `heads`: neurons of each feed-forward block, or heads of each attention module, are taken "
        "out, which makes matrices smaller. Layers are dropped by `drop_layers`."
    )
    share: Share = Field(description="Share of them that is taken out.")
    heal: Healing | None = Field(default=None, description="Training of what is left. Empty: none.")


def mistakes(configuration: "Configuration", model: str, pruning: Pruning) -> Iterator[str]:
    """Find a pruning of no model, of an extended one or of one that was pruned so, and one that takes nothing out."""
    key = f"models.{model}.prune"
    unknown_model = list(unknown(f"{key}.model", [pruning.model], configuration.models, "models"))
    if unknown_model:
        yield from unknown_model
        return
    origin = configuration.models[pruning.model]
    if origin.extend:
        yield f"'{key}.model' is '{pruning.model}', whose vocabulary is extended; prune first, and extend what is left."
    if origin.prune and origin.prune.kind == pruning.kind:
        yield (
            f"'{key}.model' is '{pruning.model}', of which '{pruning.kind}' were pruned already; name the model that "
            "it comes from, with the whole share."
        )
    if pruning.kind == "heads" and (reason := _why_no_heads(configuration, pruning.model)):
        yield f"'{key}.kind' is 'heads', but {reason}; write 'feed_forward' or 'weights'."
    elif (
        pruning.kind == "heads"
        and (shape := shape_if_known(configuration, pruning.model))
        and kept_of(shape.heads, pruning.share) == shape.heads
    ):
        yield f"'{key}.share' is {pruning.share}, which is less than one of {shape.heads} heads; write more."
    sharded = [label for label in configuration.models if configuration.models[label].sharded]
    if pruning.kind == "weights" and any(model in known_ancestors(configuration, label) for label in sharded):
        yield (
            f"'{key}.kind' is 'weights', which can't be kept at zero in shards; take 'sharded' out, or write "
            "'feed_forward'."
        )
    if pruning.heal:
        yield from healing.mistakes(configuration, f"{key}.heal", pruning.heal)


def _why_no_heads(configuration: "Configuration", model: str) -> str | None:
    """Say why no head can be taken out of a model; None where one can be, or before the model is fetched."""
    origin = origin_of(configuration, model)
    entry = configuration.models[origin]
    if entry.pretrain:
        return why_not(mbart_config(entry.pretrain.model_dump(), pretrain_languages(configuration, origin)), "heads")
    file = model_folder(configuration, origin) / "config.json"
    try:
        return why_not(read_json(file), "heads") if file.is_file() else None
    except UserError:  # a model of no family is refused elsewhere
        return None
