"""The program that runs in mtdata's own environment, without the packages of the workflow: index and parsers.

Called as `inside.py PACKAGES COMMAND`, with a request as JSON on standard input; the answer is JSON on standard output.
"""

import fnmatch
import gzip
import json
import logging
import lzma
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

DAMAGES = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile)
CODE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z]{2,4})*")


class MissingMemberError(Exception):
    """An archive lacks a member that the index names."""


def make_index(request: dict[str, Any]) -> dict[str, Any]:
    """Have mtdata write its index, as it does when it is first imported."""
    import mtdata
    from mtdata.index import INDEX

    return {"mtdata": mtdata.__version__, "datasets": len(INDEX)}


def read_pairs(request: dict[str, Any]) -> dict[str, Any]:
    """Write the sentence pairs of a dataset as two columns under a header, and return how many there are.

    The request has ``id``, ``files``, ``header``, ``swapped``, which is whether the columns are in the other order than
    in the id, and ``output``. The answer has ``failure`` instead where the files can't be read, and in ``damaged``
    whether they are not whole.
    """
    import mtdata
    from mtdata.entry import DatasetId
    from mtdata.index import INDEX

    entry = INDEX[DatasetId.parse(request["id"])]
    try:
        with tempfile.TemporaryDirectory(dir=Path(request["output"]).parent) as folder:
            rows = _rows(entry, [Path(file) for file in request["files"]], Path(folder))
            counts = _write(rows, entry, request)
    except DAMAGES as error:
        return {"failure": _said(error), "damaged": True}
    except Exception as error:
        return {"failure": _said(error), "damaged": False}
    languages = "-".join(map(str, entry.did.langs))
    signature = f"mtdata get -l {languages} --train {entry.did} -o <out-dir>\nmtdata version {mtdata.__version__}"
    return {**counts, "mtdata": mtdata.__version__, "signature": signature}


def _said(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _rows(entry: Any, files: list[Path], folder: Path) -> Iterator[Any]:
    from mtdata.parser import Parser

    paths = _members(entry, files[0], folder) if entry.is_archive else files
    return Parser(paths, ext=entry.in_ext or None, ent=entry).read_segs(show_pbar=False)


def _members(entry: Any, archive: Path, folder: Path) -> list[Path]:
    """Copy the members that a dataset consists of; nothing else of the archive is unpacked.

    Patterns mean what they mean to mtdata: a star stands for slashes too in a zip, and not in a tar.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            names = [_only(pattern, fnmatch.filter(opened.namelist(), pattern)) for pattern in entry.in_paths]
            return [_copy(opened.open(name), folder, name) for name in names]
    with tarfile.open(archive) as opened:
        files = {member.name: member for member in opened if member.isfile()}
        names = [_only(pattern, [name for name in files if _matches(name, pattern)]) for pattern in entry.in_paths]
        return [_copy(opened.extractfile(files[name]), folder, name) for name in names]


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = PurePosixPath(name).parts, PurePosixPath(pattern).parts
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _only(pattern: str, found: list[str]) -> str:
    if len(found) != 1:
        raise MissingMemberError(f"{len(found) or 'no'} members of the archive match '{pattern}', where one should")
    return found[0]


def _copy(stream: Any, folder: Path, name: str) -> Path:
    """Copy a member; the copy keeps the end of the name, by which parsers know the format."""
    path = folder / f"{len(list(folder.iterdir()))}-{PurePosixPath(name).name}"
    with stream, path.open("wb") as copy:
        shutil.copyfileobj(stream, copy)
    return path


def _write(rows: Iterator[Any], entry: Any, request: dict[str, Any]) -> dict[str, int]:
    lines = noise = 0
    # The time of the archive is fixed, so that the same text gives the same bytes.
    with open(request["output"], "wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        packed.write(("\t".join(request["header"]) + "\n").encode())
        for number, row in enumerate(rows):
            if isinstance(row, str):
                raise ValueError("it has one side alone")
            sides = [" ".join(side.split()) if isinstance(side, str) else "" for side in row[:2]]
            if len(sides) < 2 or entry.is_noisy(*sides) or (number == 0 and _is_header(sides, entry)):
                noise += 1
                continue
            packed.write(("\t".join(sides[::-1] if request["swapped"] else sides) + "\n").encode())
            lines += 1
    return {"lines": lines, "noise": noise}


def _is_header(sides: list[str], entry: Any) -> bool:
    """Say whether a first row names the languages of its columns, which mtdata takes for a sentence pair."""
    from mtdata.iso.bcp47 import bcp47

    named = [bcp47.try_parse(side) if CODE.fullmatch(side) else None for side in sides]
    return named == list(entry.did.langs)


COMMANDS = {"index": make_index, "read": read_pairs}

if __name__ == "__main__":
    # This Python is isolated: its path has the standard library alone.
    sys.path.insert(0, sys.argv[1])
    logging.disable(logging.INFO)
    print(json.dumps(COMMANDS[sys.argv[2]](json.load(sys.stdin))))
