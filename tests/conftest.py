"""What several test files share."""

from pathlib import Path

import pytest

from sweep_material import run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small study has been run once, from nothing."""
    folder = tmp_path_factory.mktemp("finished")
    code, said = run(folder)
    assert code == 0, said[-5000:]
    return folder


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the text, the vocabulary, the token arrays and the base model of a tiny sweep; read only."""
    from model_material import build_sweep

    folder = tmp_path_factory.mktemp("sweep")
    build_sweep(folder)
    return folder
