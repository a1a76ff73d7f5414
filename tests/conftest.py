"""Fixtures that several files of tests share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the text, the vocabulary, the token arrays and the base model of a tiny sweep; read only."""
    from model_material import build_sweep

    folder = tmp_path_factory.mktemp("sweep")
    build_sweep(folder)
    return folder
