"""What every method trains in a model at every budget, from configuration files alone."""

from collections.abc import Iterator, Sequence

from mtpeft.cells import NATIVE
from mtpeft.config.resolve import method_sites, model_shape
from mtpeft.config.schema import Configuration
from mtpeft.errors import UserError
from mtpeft.front.text import aligned, in_columns
from mtpeft.methods import METHODS
from mtpeft.methods.base import Site
from mtpeft.methods.budget import OutOfReachError, allocate, reach, reachable
from mtpeft.models.shapes import ModelShape

HEADER = ("method", "budget", "requested", "trained", "achieved", "left over", "size", "reachable")


def budget_table(configuration: Configuration, model: str) -> str:
    """Reachable range, size, achieved share and remainder of each method at each budget.

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
    entry = METHODS[configuration.methods[method].tuner]
    if entry.trains in ("all", "nothing"):
        trained = shape.total if entry.trains == "all" else 0
        yield method, "-", "-", f"{trained:,}", f"{trained / shape.total:.3%}", "-", "-", "-"
        return
    sites = method_sites(configuration, method, shape)
    if entry.trains == "point":
        trained = reach(sites)[0]
        yield method, NATIVE, "-", f"{trained:,}", f"{trained / shape.total:.3%}", "-", "-", "-"
        return
    reaches = reachable(sites, shape.total)
    for label, share in configuration.budgets.items():
        yield method, label, f"{share:.3%}", *_achieved(sites, share, shape.total), reaches


def _achieved(sites: Sequence[Site], share: float, total: int) -> tuple[str, str, str, str]:
    try:
        allocation = allocate(sites, int(share * total))
    except OutOfReachError:
        return "-", "out of reach", "-", "-"
    sizes = sorted({allocation.sizes.get(site.module, 0) for site in sites if site.grows})
    size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return f"{allocation.trained:,}", f"{allocation.trained / total:.3%}", f"{allocation.left_over:,}", size


def methods_table() -> str:
    """Tuners of the registry: what they train, where, whether it can be merged into the base, where they come from."""
    rows = [("tuner", "trains", "where", "merges", "from")]
    for name, method in METHODS.items():
        trains = f"by {method.size_name}" if method.size_name else method.trains
        merges = ("yes" if method.mergeable else "no") if method.trains in ("sized", "point") else "-"
        rows.append((name, trains, method.places or "-", merges, method.paper))
    return in_columns(rows)
