"""What a method trains of a model, as far as operations and memory depend on it."""

from mtpeft.methods.base import Method, MethodOptions
from mtpeft.methods.budget import Allocation, targets_of
from mtpeft.methods.staged import BASE, BETWEEN
from mtpeft.models.architecture import ModelShape, side_of
from mtpeft.models.operations import TrainedPart, meets_source


def trained_part(method: Method, options: MethodOptions, shape: ModelShape, allocation: Allocation) -> TrainedPart:
    """Return what is trained at the sizes of an allocation.

    Parameters beside the model are counted as weights that every token of their side meets. That is so for adapters,
    LoRA, and the keys and values of a prefix; a prompt makes sequences longer instead, and some tuners of peft compute
    a whole matrix from few parameters.
    """
    if method.target_modules is None:
        return TrainedPart(allocation.trained, base=True, output=True)
    costs = {
        target.module.rpartition(BETWEEN)[2]: target.cost(allocation.sizes.get(target.module, 0))
        for target in targets_of(method, shape, options)
    }
    entries = {module for module in costs if module.startswith(shape.embedding_module)}
    beside = {module: cost for module, cost in costs.items() if cost and module not in {*entries, BASE}}
    one_stack = "encoder" not in shape.task.stacks
    source = sum(cost for module, cost in beside.items() if one_stack or meets_source(module))
    return TrainedPart(
        parameters=allocation.trained,
        base=method.trains_base,
        output=method.trains_base or shape.embedding_module in entries,
        source=source,
        target=sum(beside.values()) - (0 if one_stack else source),
        reaches_encoder=one_stack
        or bool(entries)
        or method.trains_base
        or any(side_of(module) == "encoder" for module in beside),
    )
