"""The scripts of others that the page brings along: Vega for the charts, DataTables for the table of cells."""

import re
from importlib.resources import files

EXPORT = re.compile(r"export\s*\{([^{}]*)\}\s*;")
"""The last statement of a module, by which it hands out what it defines."""


def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which defines `vegaEmbed` and others in the window.

    The package vl-convert bundles them, in versions that go with the specifications that Altair writes.
    """
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return safe_script(vl_convert.javascript_bundle(vl_version=version))


def data_tables() -> tuple[str, str]:
    """Script and style of DataTables with jQuery, which the package itables has; the script defines `jQuery`.

    It is a module, and a page that was opened as a file can't import one, so what it exports is put into the window.

    Raises:
        ValueError: the script exports nothing that is called jQuery.
    """
    folder = files("itables") / "html"
    script = (folder / "dt_bundle.js").read_text(encoding="utf-8")
    exported = EXPORT.search(script)
    name = re.search(r"([\w$]+) as jQuery\b", exported[1]) if exported else None
    if not (exported and name):
        raise ValueError("the table component of itables exports no jQuery; its version is not the one that is pinned")
    script = f"{script[: exported.start()]}window.jQuery={name[1]};{script[exported.end() :]}"
    return safe_script(f"(()=>{{{script}\n}})();"), (folder / "dt_bundle.css").read_text(encoding="utf-8")


def safe_script(script: str) -> str:
    """A script that can stand inside of an element: what would end it, or hide its end, is written otherwise."""
    return re.sub(r"<(?=/script|!--|script)", r"\\x3c", script, flags=re.IGNORECASE)
