"""Formats of numbers on a page."""

NOTHING = "\N{EN DASH}"


def number(value: float | None, digits: int = 2) -> str:
    """A number with a true minus sign, or a dash."""
    return NOTHING if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def span(interval: tuple[float, float] | list[float] | None, digits: int = 2) -> str:
    """An interval."""
    return f"{number(interval[0], digits)} to {number(interval[1], digits)}" if interval else NOTHING


def p_value(p: float | None, corrected: float | None) -> str:
    """A p-value, and in brackets the corrected one."""
    return NOTHING if p is None else f"{p:.4f} ({corrected:.4f})"
