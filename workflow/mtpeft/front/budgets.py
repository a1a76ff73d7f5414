"""What every method trains in a model at every budget, from configuration files alone."""

from collections.abc import Iterator, Sequence

from mtpeft.cells import NATIVE
from mtpeft.config.methods import method_options, method_sites
from mtpeft.config.models import model_shape
from mtpeft.config.schema import Configuration
from mtpeft.core.errors import UserError
from mtpeft.core.text_tables import aligned, in_columns
from mtpeft.methods import METHODS
from mtpeft.methods.base import Site
from mtpeft.methods.budget import Allocation, OutOfReachError, allocate_share, places, reachable
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
    entry = METHODS[configuration.methods[method].method]
    if entry.trains in ("all", "nothing"):
        trained = shape.total if entry.trains == "all" else 0
        yield method, "-", "-", f"{trained:,}", f"{trained / shape.total:.3%}", "-", f"{trained:,}", "-", "-", "-"
        return
    sites, options = method_sites(configuration, method, shape), method_options(configuration, method)
    if not sites:
        yield method, "-", "-", "-", "nothing to train", "-", "-", "-", "-", "-"
        return
    shares = {NATIVE: None} if entry.trains == "point" else configuration.budgets
    reaches = "-" if entry.trains == "point" else reachable(sites, shape.total)
    for label, share in shares.items():
        requested = "-" if share is None else f"{share:.3%}"
        try:
            allocation = allocate_share(sites, shape.total, share)
        except OutOfReachError:
            yield method, label, requested, "-", "out of reach", "-", "-", "-", "-", reaches
            continue
        stored = entry.stored(shape, options, allocation.sizes) if entry.stored else allocation.trained
        left_over = "-" if share is None else f"{allocation.left_over:,}"
        achieved = f"{allocation.trained:,}", f"{allocation.trained / shape.total:.3%}", left_over
        where = places(sites, allocation.sizes)
        yield method, label, requested, *achieved, f"{stored:,}", _sizes(sites, allocation), where, reaches


def _sizes(sites: Sequence[Site], allocation: Allocation) -> str:
    sizes = sorted({allocation.sizes.get(site.module, 0) for site in sites if site.grows})
    return " to ".join(dict.fromkeys(map(str, sizes[:1] + sizes[-1:]))) or "-"


def methods_table() -> str:
    """Tuners of the registry: what they train, where, whether it can be merged into the base, where they come from."""
    rows = [("method", "trains", "where", "merges", "from")]
    for name, method in METHODS.items():
        trains = f"by {method.size_name}" if method.size_name else method.trains
        merges = ("yes" if method.mergeable else "no") if method.trains in ("sized", "point") else "-"
        rows.append((name, trains, method.places or "-", merges, method.paper))
    return in_columns(rows)
