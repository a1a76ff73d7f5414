"""The command `budget`: the numbers that every method trains in a model, from configuration files alone."""

from collections.abc import Iterator, Sequence

from mtpeft.cells import NATIVE
from mtpeft.config.methods import method_options, method_targets
from mtpeft.config.model_shapes import model_shape
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.text_tables import aligned, in_columns
from mtpeft.methods import METHODS, method_for, options_of
from mtpeft.methods.base import TargetModule
from mtpeft.methods.budget import Allocation, OutOfReachError, allocate_share, modules_used, reachable
from mtpeft.models.architecture import ModelShape

HEADER = ("method", "budget", "requested", "trained", "achieved", "left over", "stored", "size", "places", "reachable")


def budget_table(configuration: Configuration, model: str) -> str:
    """Reachable range, size, achieved share, remainder and what is stored, of each method at each budget.

    Raises:
        UserError: the model has not been fetched from its hub yet.
    """
    shape = model_shape(configuration, model)
    if shape is None:
        raise UserError(
            f"The model '{model}' is not there yet; fetch it with `snakemake results/models/{model}/base.json`."
        )
    rows = [HEADER, *(row for method in configuration.methods for row in _rows(configuration, method, shape))]
    return f"{model}: {shape.total:,} parameters\n{aligned(rows)}\n"


def _rows(configuration: Configuration, method: str, shape: ModelShape) -> Iterator[Sequence[str]]:
    entry = method_for(configuration.methods[method])
    if entry.trains in ("full", "none"):
        trained = shape.total if entry.trains == "full" else 0
        yield method, "-", "-", f"{trained:,}", f"{trained / shape.total:.3%}", "-", f"{trained:,}", "-", "-", "-"
        return
    targets, options = method_targets(configuration, method, shape), method_options(configuration, method)
    if not targets:
        yield method, "-", "-", "-", "nothing to train", "-", "-", "-", "-", "-"
        return
    stored_of = entry.stored_parameters
    shares = {NATIVE: None} if entry.trains == "fixed" else configuration.budgets
    reaches = "-" if entry.trains == "fixed" else reachable(targets, shape.total)
    for label, share in shares.items():
        requested = "-" if share is None else f"{share:.3%}"
        try:
            allocation = allocate_share(targets, shape.total, share)
        except OutOfReachError:
            yield method, label, requested, "-", "out of reach", "-", "-", "-", "-", reaches
            continue
        stored = stored_of(shape, options_of(options), allocation.sizes) if stored_of else allocation.trained
        left_over = "-" if share is None else f"{allocation.left_over:,}"
        achieved = f"{allocation.trained:,}", f"{allocation.trained / shape.total:.3%}", left_over
        where = modules_used(targets, allocation.sizes)
        yield method, label, requested, *achieved, f"{stored:,}", _sizes(targets, allocation), where, reaches


def _sizes(targets: Sequence[TargetModule], allocation: Allocation) -> str:
    sizes = sorted({allocation.sizes.get(target.module, 0) for target in targets if target.grows})
    return " to ".join(dict.fromkeys(map(str, sizes[:1] + sizes[-1:]))) or "-"


def methods_table() -> str:
    """List the methods: what they train, where, whether it can be merged into the base model, and their paper."""
    rows = [("method", "trains", "where", "merges", "from")]
    for name, method in METHODS.items():
        trains = f"by {method.size_name}" if method.size_name else method.trains
        merges = ("yes" if method.mergeable else "no") if method.trains in ("budgeted", "fixed") else "-"
        rows.append((name, trains, method.where or "-", merges, method.paper))
    return in_columns(rows)
