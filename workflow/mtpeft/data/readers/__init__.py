"""The file formats in which parallel text is read: each `Reader` is an entry in a file of its own."""

from mtpeft.core.registry import Registry
from mtpeft.data.readers.base import Reader

READERS: Registry[Reader] = Registry(Reader, "mtpeft.data.readers", word="reader")
"""Readers of files that hold both sides, by the key that names such a file."""
