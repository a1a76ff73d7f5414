"""Steps that are forks of a fork server do what they do by themselves, and live and die with their command."""

import contextlib
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from mtpeft.cluster.environment import shared_variables
from mtpeft.core.files import canonical
from mtpeft.data.tsv import SentencePair, write_pairs
from mtpeft.decoding.decode import decode
from mtpeft.forkserver.launcher import fork_server
from mtpeft.forkserver.server import lost_its_devices
from mtpeft.training.checkpoint import CHECKPOINT_FILE, LOCK_FILE
from support.fork_server import is_listening
from support.model import arrays, cell, decode_params, train_cell, train_params
from support.training import ENVIRONMENT, results, trainer
from support.waiting import LONG, SOON, wait_for

pytestmark = pytest.mark.slow

LIBRARIES = ("torch", "transformers", "peft", "numpy", "sentencepiece")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[dict[str, str]]:
    """A fork server as a sweep in this folder has it; yields the environment of its Snakemake."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        with fork_server() as variables:
            wait_for(lambda: is_listening(*variables.values()))
            yield dict(os.environ | variables)


@pytest.fixture(scope="module")
def of_snakemake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which a sweep starts Snakemake."""
    with server(tmp_path_factory.mktemp("served")) as environment:
        yield environment


@pytest.fixture
def served(of_snakemake: dict[str, str]) -> dict[str, str]:
    """The environment of its jobs."""
    return of_snakemake | shared_variables()


def start(arguments: Sequence[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start a step; it says what it imports itself."""
    command = [sys.executable, "-X", "importtime", "-m", "mtpeft", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, cwd=folder, stdout=pipe, stderr=pipe, text=True)


def end(step: subprocess.Popen[str]) -> tuple[int, list[str], set[str]]:
    """Exit code of a step, the lines that it wrote to standard error, and the libraries that its command loaded."""
    _, said = step.communicate(timeout=LONG)
    return step.returncode, *parts_of(said)


def parts_of(said: str) -> tuple[list[str], set[str]]:
    """The lines of a step that says what it imports itself, and the libraries among its imports."""
    lines = [line for line in said.splitlines() if not line.startswith("import time:")]
    imported = {line.split("|")[-1].strip() for line in said.splitlines() if line.startswith("import time:")}
    assert "mtpeft.forkserver.client" in imported
    return lines, imported & set(LIBRARIES)


def run(arguments: Sequence[str], environment: dict[str, str], folder: Path) -> tuple[int, list[str], set[str]]:
    return end(start(arguments, environment, folder))


def long_cell(sweep: Path) -> list[str]:
    """A step that would take minutes, and saves its state after every update."""
    return trainer(sweep, Path("train.json"), train_params("lora", updates=30000, evaluations=1))


def server_processes() -> list[psutil.Process]:
    """The fork server that these tests started last, and its forks."""
    mine = psutil.Process().children(recursive=True)
    return [process for process in mine if "fork_server" in arguments_of(process)[:4] and not gone(process)]


def arguments_of(process: psutil.Process) -> list[str]:
    """The arguments of a process, none of one that is dead, also where nobody has collected it yet."""
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def gone(process: psutil.Process) -> bool:
    """True when the process is dead, also where nobody has collected it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_dead_process_that_nobody_has_collected_stops_no_walk() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        process = psutil.Process(child.pid)
        wait_for(lambda: process.status() == psutil.STATUS_ZOMBIE, SOON)
        assert arguments_of(process) == []
        assert gone(process)
        assert process not in server_processes()


def is_free(lock: IO[str]) -> bool:
    """True where nobody else holds the lock; it is then held here."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def training(sweep: Path, folder: Path, environment: dict[str, str]) -> Iterator[tuple[Any, psutil.Process]]:
    """The command and the fork of a long cell that has saved a state."""
    before = {process.pid for process in server_processes()}
    with start(long_cell(sweep), environment, folder) as step:
        wait_for(lambda: (folder / "state" / CHECKPOINT_FILE).exists() or step.poll() is not None)
        (fork,) = (process for process in server_processes() if process.pid not in before and process.ppid() in before)
        yield step, fork


@pytest.mark.parametrize(("method", "threads"), [("lora", 1), ("full", 2)])
def test_weights_and_hypotheses_are_those_of_a_step_by_itself(
    sweep: Path, tmp_path: Path, served: dict[str, str], method: str, threads: int
) -> None:
    params = train_params(method, updates=4, evaluations=1) | {"threads": threads}
    told = decode_params() | {"threads": threads}
    alone, folder = tmp_path / "alone", tmp_path / "served"
    folder.mkdir()
    tests = arrays(sweep, "test")
    decode(
        told,
        cell(method),
        trained=train_cell(sweep, alone, params),
        tests={"test": tests},
        record=alone / "decode.json",
    )
    decoder = ["decode", "--cell", cell(method).path, "--params", canonical(told), "--trained", "train.json"]
    decoder += ["--tests", str(tests), "--record", "decode.json"]
    for step in (trainer(sweep, Path("train.json"), params), decoder):
        assert run(step, served, folder)[::2] == (0, set())
    assert_own_memory(folder / "train.json")
    found = results(folder)
    for files in (found, expected := results(alone)):
        files.pop("decode.json")
    assert found == expected
    assert {"tuned/adapter_model.safetensors", "tuned/model.safetensors"} & set(found)
    assert "hypotheses/test.txt" in found


def test_a_fork_waits_for_a_gpu_of_its_own(sweep: Path, tmp_path: Path, served: dict[str, str]) -> None:
    on_gpus = served | {"MTPEFT_DEVICES": "a,b", "TMPDIR": str(tmp_path)}
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    with training(sweep, folders[0], on_gpus) as (holder, _), training(sweep, folders[1], on_gpus) as (other, _):
        step = [*trainer(sweep, Path("train.json"), train_params("lora", updates=2)), "--cells-per-gpu", "2"]
        with start(step, on_gpus, folders[2]) as third:
            assert third.stdout.readline() == "The GPUs are taken (a, b); waiting for one.\n"
            holder.kill()
            assert end(third)[0] == 0
        other.kill()
    execution = json.loads((folders[2] / "train.json").read_text())["execution"]
    assert (execution["visible_gpus"], execution["cells_per_gpu"]) == ("a", "2")


def assert_own_memory(record: Path) -> None:
    """A fork shares its first memory with the fork server; a step by itself would have loaded that as well."""
    (parent,) = (process for process in server_processes() if process.ppid() == os.getpid())
    peak = json.loads(record.read_text())["peak_memory_mb"]
    memory = parent.memory_info()  # a fork shares the libraries' files, and counts of them what it touches itself
    assert memory.rss - memory.shared < peak * 2**20 < 1.5 * memory.rss


@pytest.mark.parametrize(
    ("counted_before", "gpus", "lost"),
    [(True, "0", True), (False, "0", False), (True, "", False)],
    ids=["CUDA was started", "nobody asked for a GPU", "asked for where there is none"],
)
def test_a_fork_has_lost_its_gpus_where_there_are_any_that_cuda_was_started_for(
    counted_before: bool, gpus: str, lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once bitsandbytes has looked for a GPU, torch calls every fork a bad one, whether there was one or not."""
    monkeypatch.setattr("torch.cuda._is_in_bad_fork", lambda: counted_before)
    monkeypatch.setattr("mtpeft.cluster.gpus.DRIVER_FILES", Path("no drivers"))
    monkeypatch.setattr("mtpeft.cluster.gpus.TOOL", "no tool")
    monkeypatch.setenv("MTPEFT_DEVICES", gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert lost_its_devices() is lost


def too_small(folder: Path) -> list[str]:
    """A step that can't succeed: a user's mistake."""
    write_pairs(folder / "one.tsv", [SentencePair("a", "un gato", "a cat")])
    params = canonical({"size": 9999, "languages": ["en"], "key": "x"})
    return ["train_vocabulary", "--params", params, "--parts", "one.tsv", "--folder", "made"]


def test_a_mistake_is_told_on_the_standard_error_of_the_command(tmp_path: Path, served: dict[str, str]) -> None:
    code, said, loaded = run(too_small(tmp_path), served, tmp_path)
    assert (code, loaded) == (2, set())
    (line,) = (line for line in said if line.startswith("mtpeft: "))
    assert "A vocabulary of 9999 pieces can't be learnt from 2 sentences" in line


def test_jobs_of_snakemake_are_started_like_the_fork_server(tmp_path: Path, of_snakemake: dict[str, str]) -> None:
    step = shlex.join(too_small(tmp_path)).replace("{", "{{").replace("}", "}}")
    (tmp_path / "Snakefile").write_text(
        "from mtpeft.cluster.environment import share_python\n"
        "share_python()\n"
        "rule step:\n"
        "    threads: 2\n"
        f"    shell: {f'exec python -X importtime -m mtpeft {step} > log 2>&1'!r}\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "snakemake", "--cores", "2"]
    assert subprocess.run(command, cwd=tmp_path, env=of_snakemake, capture_output=True, check=False).returncode == 1
    said, loaded = parts_of((tmp_path / "log").read_text(encoding="utf-8"))
    assert any("A vocabulary of 9999 pieces" in line for line in said)
    assert loaded == set()


def test_the_environment_is_that_of_the_command(sweep: Path, tmp_path: Path, served: dict[str, str]) -> None:
    code, said, loaded = run(long_cell(sweep), served | {"MTPEFT_SECONDS": "0.0001"}, tmp_path)
    assert (code, loaded) == (75, set())
    assert "stopped at update 0 of 30000: the time budget of 0.0001 s is used up; the state is saved" in said[-1]


@pytest.mark.parametrize(
    "changes",
    [
        {"MTPEFT_FORK_SERVER": "nobody"},
        {"MTPEFT_FORK_SERVER": ""},
        {"PYTHONHASHSEED": "7"},
        {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
    ],
    ids=["nobody listens", "not asked for", "other hashes", "other order of devices"],
)
def test_a_step_runs_by_itself_without_a_fork_server_that_was_started_like_it(
    tmp_path: Path, served: dict[str, str], changes: dict[str, str]
) -> None:
    code, said, loaded = run(too_small(tmp_path), served | changes, tmp_path)
    assert (code, loaded) == (2, {"sentencepiece"})
    assert any("A vocabulary of 9999 pieces" in line for line in said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_the_command_stops_the_fork_which_saves_its_state(
    sweep: Path, tmp_path: Path, served: dict[str, str], number: signal.Signals
) -> None:
    with training(sweep, tmp_path, served) as (step, fork):
        step.send_signal(number)
        code, said, loaded = end(step)
    assert (code, loaded) == (75, set())
    assert said[-1].endswith(f"signal {number.name}; the state is saved")
    assert gone(fork)


def test_a_killed_command_takes_its_fork_with_it_and_the_cell_is_free(
    sweep: Path, tmp_path: Path, served: dict[str, str]
) -> None:
    with training(sweep, tmp_path, served) as (step, fork), open(tmp_path / "state" / LOCK_FILE) as lock:
        assert not is_free(lock)
        step.kill()
        wait_for(lambda: gone(fork), SOON)
        wait_for(lambda: is_free(lock), SOON)  # its last thread gives it up after its first has become a zombie


def test_a_command_ends_by_the_signal_that_killed_its_fork(sweep: Path, tmp_path: Path, served: dict[str, str]) -> None:
    with training(sweep, tmp_path, served) as (step, fork):
        fork.send_signal(signal.SIGSEGV)
        assert end(step)[0] == -signal.SIGSEGV


def test_a_killed_fork_server_takes_forks_and_commands_with_it_and_the_next_step_runs_by_itself(
    sweep: Path, tmp_path: Path
) -> None:
    home = tmp_path / "sweep"
    home.mkdir()
    before = {process.pid for process in server_processes()}
    with server(home) as environment:
        (parent,) = (process for process in server_processes() if process.pid not in before)
        with training(sweep, tmp_path, environment | shared_variables()) as (step, fork):
            parent.kill()
            code, said, _ = end(step)
        assert code == -signal.SIGKILL
        assert said[-1] == "mtpeft: the fork server was killed, and this step with it."
        wait_for(lambda: gone(fork), SOON)
        assert run(too_small(tmp_path), environment | shared_variables(), tmp_path)[::2] == (2, {"sentencepiece"})
