"""Prepare a test set that the user names beside a corpus's own: it stays as it is, so that scores can be compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtpeft.core import files
from mtpeft.core.errors import UserError
from mtpeft.core.warnings import warn
from mtpeft.data import tsv
from mtpeft.data.normalisation import normalised_line
from mtpeft.data.sources import source_of
from mtpeft.data.sources.base import Languages


def prepare_test_set(params: Mapping[str, Any], *, archives: Sequence[Path], output: Path, record: Path) -> None:
    """Write all pairs, in their order, and a record with the texts of both languages; text is a `normalised_line`.

    Training text is kept away from these texts, in whatever pair they are.

    Args:
        params: `source` and `target` language, and a description of the text under the name of its source.
        archives: files that were downloaded for it.
        output: where the pairs go.
        record: where the record goes.

    Raises:
        UserError: the text can't be read, or no line has two sides.
    """
    source = source_of(params)
    lines = source.read_test(params, Languages(params["source"], params["target"], ""), archives)
    named = (
        (number, normalised_line(line.source), normalised_line(line.target)) for number, line in enumerate(lines, 1)
    )
    pairs = [tsv.SentencePair(f"{number:06}", *sides) for number, *sides in named if all(sides)]
    if not pairs:
        raise UserError(f"The test set {record.stem} has no line with two sides: correct 'more_tests.{record.stem}'.")
    blank = len(lines) - len(pairs)
    warnings = [
        f"{blank} lines of the test set {record.stem} have no text on one side and are left out; scores on it can't be "
        "compared with those of others."
    ] * (blank > 0)
    tsv.write_pairs(output, pairs)
    sides = {"source": [pair.source for pair in pairs], "target": [pair.target for pair in pairs]}
    texts = {params[side]: sorted(set(found)) for side, found in sides.items()}
    content = {
        "params": params,
        "inputs": {path.name: files.sha256_of(path) for path in [*archives, *source.files(params)]},
        "lines": len(lines),
        "rows": len(pairs),
        "texts": {record.stem: texts},
        "warnings": warnings,
        "sha256": files.sha256_of(output),
    }
    files.write_record(record, content)
    warn(warnings)
