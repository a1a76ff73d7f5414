"""What several test files share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweep_material import run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the finished small study run one after another, in the same worker: it is made once."""
    for item in items:
        if "finished" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("finished"))


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


@pytest.fixture(scope="session")
def uninterrupted(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Results of a run from end to end, made once per kind."""
    from training_material import build, results

    made: dict[str, dict[str, Any]] = {}

    def of(kind: str) -> dict[str, Any]:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            build(sweep, folder, kind)
            made[kind] = results(folder)
        return made[kind]

    return of


@pytest.fixture
def own_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command run inside the tests must not bind them to their parent."""
    from mtpeft.commands import main

    monkeypatch.setattr(main, "die_with_parent", lambda: None)
