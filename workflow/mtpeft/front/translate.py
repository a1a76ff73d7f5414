"""Translate standard input line by line with a trained cell."""

import io
import sys
import warnings
from pathlib import Path

from mtpeft.core.errors import UserError
from mtpeft.core.warnings import warn
from mtpeft.data.readers.lines import BOM, split_lines

INPUT = Path("Standard input")


def translate_lines(cell: str, pair: str | None) -> None:
    """Write a line to standard output for every line of standard input, both in UTF-8, whatever the locale.

    Warnings on standard error say what a line loses when it is tokenized.

    Args:
        cell: its folder or its labels.
        pair: which one it translates, where it was trained on several.

    Raises:
        UserError: standard input is empty, or a line is not UTF-8 or has a NUL.
    """
    from mtpeft import load
    from mtpeft.models.tokenizer import LossWarning

    sentences = lines_of(sys.stdin.buffer.read())
    translator = load(cell, pair)
    warn(translator.lost(sentences, called="line"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LossWarning)
        translated = translator(sentences)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    for line in translated:
        print(line)


def lines_of(content: bytes) -> list[str]:
    """Split text in UTF-8 into lines, as the text of files is split.

    A line ends with a line feed, or with a carriage return where there is no line feed at all; no other character ends
    one.

    Raises:
        UserError: it is empty, or a line is not UTF-8 or has a NUL.
    """
    content = content.removeprefix(BOM)
    if not content:
        raise UserError("Standard input is empty; write sentences to it, one per line.")
    lines = split_lines(content, INPUT, b"\n" if b"\n" in content else b"\r")
    return [line.removesuffix("\r") for line in lines]
