"""The model that a cell trains: a base model together with what its method adds to it or unfreezes in it.

The trained parameters are counted in closed form before a weight is loaded, compared with the model that is built, and,
where a method prunes during training, compared with the model at the end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel

from mtpeft.core.errors import UserError
from mtpeft.core.provenance import Execution, Offload
from mtpeft.methods import method_for
from mtpeft.methods.base import Method, MethodOptions, ModuleSizes, TargetModule
from mtpeft.methods.budget import Allocation, OutOfReachError, allocation_of, count, modules_used, targets_of
from mtpeft.methods.new_entries import new_entry_module
from mtpeft.methods.new_entries_adapter import split_new_entries, train_new_entries
from mtpeft.methods.open_tuned import with_adapter
from mtpeft.methods.staged import stages_of
from mtpeft.models.architecture import KEEPS_ZEROS, ModelShape
from mtpeft.models.families import family_in, read_json, read_shape
from mtpeft.models.load import load_base, parameters, random_model
from mtpeft.models.offload import in_main_memory, place
from mtpeft.models.precision import BasePrecision
from mtpeft.models.zeros import keep_zeros
from mtpeft.training.distributed import shard
from mtpeft.training.params import CellParams

ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class ParameterCount:
    """Trained parameters of a cell, counted before weights are loaded.

    Attributes:
        shape: of the base model.
        targets: modules in which the method could train something.
        allocation: size of each of them, and the number of trained parameters.
    """

    shape: ModelShape
    targets: Sequence[TargetModule]
    allocation: Allocation

    def modules_used(self, sizes: ModuleSizes) -> str:
        """Say in how many of its modules the method trains something, such as `18 of 20`; empty without modules."""
        return modules_used(self.targets, sizes) if self.targets else ""


def count_trained(options: MethodOptions, shape: ModelShape, *, budget: float | None) -> ParameterCount:
    """Count what a method trains of a model of this shape at a budget.

    Args:
        options: options of the method.
        shape: of the base model.
        budget: requested share of the base model's parameters; None for methods without a choice.

    Raises:
        UserError: the method can't meet the budget, has nothing to train in the model, or has losses that need an
            encoder, which the model has not.
    """
    method = method_for(options)
    targets = targets_of(method, shape, options)
    if method.target_modules and not targets:
        raise UserError(f"The method '{method.name}' has nothing to train in this model; take one of the two out.")
    if getattr(options, "losses", ()) and "encoder" not in shape.task.stacks:
        raise UserError(f"The 'losses' of '{method.name}' need a model with an encoder; take one of the two out.")
    try:
        allocation = allocation_of(method, options, shape, share=budget)
    except OutOfReachError as error:
        raise UserError(
            f"The method '{method.name}' can't train {budget:.3%} of this model ({error}); "
            "write another share in 'budgets'."
        ) from error
    return ParameterCount(shape, targets, allocation)


def build_stages(
    folder: Path,
    params: CellParams,
    counted: ParameterCount,
    *,
    precision: BasePrecision,
    device: torch.device,
    execution: Execution,
    start: Path | None = None,
) -> Iterator[nn.Module]:
    """Yield the model to train, once for each stage of its method; most methods have one stage.

    Args:
        folder: of the base model.
        params: of the cell.
        counted: what is to be trained, which the model of the last stage must match.
        precision: of the base model's weights.
        device: where the model is trained.
        execution: whether a model that is trained as a whole is sharded, whether activations are computed again, and
            where the layers of a frozen base model lie.
        start: `tuned/` of another cell of the same method, with whose weights the training begins.
    """
    method, adapter = method_for(params.method), start and (start / ADAPTER_CONFIG).exists()
    base = _open_base(folder if adapter else start or folder, params, precision, offload=execution.offload)
    stages = len(stages_of(params.method))
    models = _with_method(method, base, counted, params.method)
    if start and adapter:
        models = iter([with_adapter(base, start, is_trainable=True)])
    for number in range(stages):
        torch.manual_seed(params.seed)
        with in_main_memory(base):
            model = next(models)
        if number == stages - 1:
            require_counted(counted, params.method, model)
        model = place(model, device)
        # Layers that are offloaded are computed again in any case.
        if execution.gradient_checkpointing and not execution.offload:
            checkpoint_activations(model)
        if execution.sharded and method.trains_base and stages == 1:
            require_no_zeros_kept(folder)
            shard(model)
        yield model


def require_no_zeros_kept(folder: Path) -> None:
    """Refuse to train shards of a base model whose zeros stay zero: a shard's gradient never passes by its weight.

    Raises:
        UserError: its config.json says so.
    """
    if read_json(folder / "config.json").get(KEEPS_ZEROS):
        raise UserError(
            "The weights that were pruned from the base model can't be kept at zero in shards; take 'sharded' out of "
            "its entry in 'models', or prune 'feed_forward'."
        )


def checkpoint_activations(model: nn.Module) -> None:
    """Have each layer keep its inputs alone for the gradient, and compute its activations again.

    The variant is the one that needs no gradient of a layer's inputs, so that it works where embeddings are frozen.
    This is gradient checkpointing (Chen et al. 2016, arXiv 1604.06174).
    """
    outermost = next(module for module in model.modules() if isinstance(module, PreTrainedModel))
    outermost.activation_checkpointing_enable({"use_reentrant": False})


def _open_base(folder: Path, params: CellParams, precision: BasePrecision, *, offload: Offload | None) -> nn.Module:
    """Open the base model with the dropout of the cell, or a random one for methods that start from scratch."""
    family = family_in(folder)
    overrides = {**family.fixed, family.dropout: params.optimisation.dropout}
    method = method_for(params.method)
    if offload and method.trains_base:
        raise UserError(
            f"The method '{method.name}' trains the base model itself, whose layers 'offload' keeps away; take "
            "'offload' out of the model's entry, or shard it on several GPUs with 'sharded'."
        )
    if method.from_scratch:
        return random_model(read_json(folder / "config.json"), seed=params.seed, **overrides)
    model, config = load_base(folder, precision, offload=offload, **overrides), read_json(folder / "config.json")
    if config.get(KEEPS_ZEROS):
        keep_zeros(model, (linear.module for linear in read_shape(config).linears))
    return model


def _with_method(
    method: Method, base: nn.Module, counted: ParameterCount, options: MethodOptions
) -> Iterator[nn.Module]:
    """Yield the base model with what each stage of the method trains, and with the trained rows of new entries."""
    sizes, new = dict(counted.allocation.sizes), new_entry_module(counted.shape)
    has_new = sizes.pop(new, None) is not None
    if has_new:
        split_new_entries(base)
    in_stages = method.apply_stages
    for model in in_stages(base, sizes, options) if in_stages else (method.apply(base, sizes, options),):
        if has_new:
            train_new_entries(model)
        yield model


def require_counted(counted: ParameterCount, options: MethodOptions, model: nn.Module) -> None:
    """Assert that a built model trains what was counted, or, where a method prunes, what it must start with.

    Raises:
        AssertionError: it does not, which is a fault of the method's count.
    """
    method, shape, allocation = method_for(options), counted.shape, counted.allocation
    total, trained = parameters(model)
    added = trained - shape.total if method.trains_base else trained
    at_start = method.parameters_at_start
    wanted = at_start(shape, options, allocation.sizes) if at_start else allocation.trained
    if (total - added, trained) != (shape.total, wanted):
        raise AssertionError(
            f"counted {wanted} trained of {shape.total} parameters, built {trained} of {total - added}"
        )


def sizes_at_end(counted: ParameterCount, options: MethodOptions, model: nn.Module) -> ModuleSizes:
    """Return the size of each module in a finished model, which must add up to the counted parameters.

    Raises:
        AssertionError: they do not.
    """
    method, allocation = method_for(options), counted.allocation
    if not method.sizes_at_end:
        return allocation.sizes
    new = new_entry_module(counted.shape)
    left = {**method.sizes_at_end(model), **({new: allocation.sizes[new]} if new in allocation.sizes else {})}
    found = count(counted.targets, left)
    if found != allocation.trained:
        raise AssertionError(f"counted {allocation.trained} parameters at the end, left {found}")
    return left
