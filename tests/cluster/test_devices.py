"""A GPU has one step at a time, or as many as share it, and is free when its step is dead."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mtpeft.cluster import gpus
from mtpeft.cluster.gpus import devices_here, take_slots, taken_slots
from mtpeft.core.errors import UserError
from support.waiting import wait_for

GIVEN = ("MTPEFT_DEVICES", "CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "SLURM_STEP_ID")
STEP = """
import sys
from mtpeft.cluster.gpus import take_slots
with take_slots(int(sys.argv[1]), int(sys.argv[2])) as taken:
    print("has", *taken, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with a torch for GPUs, a driver without any, and nothing held."""
    for name in GIVEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gpus, "_torch_version", lambda: "2.13.0")
    monkeypatch.setattr(gpus, "DRIVER_FILES", tmp_path / "dev")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return monkeypatch


def show(folder: Path, *files: str) -> None:
    (folder / "dev").mkdir()
    for file in files:
        (folder / "dev" / file).touch()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ["0", "1", "2"]),
        ({"CUDA_VISIBLE_DEVICES": "2,GPU-8a3f"}, ["2", "GPU-8a3f"]),
        ({"CUDA_VISIBLE_DEVICES": "1,-1,2"}, ["1"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"MTPEFT_DEVICES": "2, 1"}, ["2", "1"]),
        ({"MTPEFT_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "0,1,2"}, ["1"]),
        ({"SLURM_JOB_ID": "7"}, []),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "NoDevFiles"}, []),
        ({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1", "MTPEFT_DEVICES": "2"}, ["0", "1"]),
    ],
)
def test_gpus_are_those_that_are_given_or_shown(
    machine: pytest.MonkeyPatch, tmp_path: Path, variables: Mapping[str, str], expected: list[str]
) -> None:
    show(tmp_path, "nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm", "null")
    for name, value in variables.items():
        machine.setenv(name, value)
    assert devices_here() == expected


def test_a_torch_without_cuda_uses_none(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    show(tmp_path, "nvidia0")
    machine.setattr(gpus, "_torch_version", lambda: "2.13.0+cpu")
    assert devices_here() == []


def test_the_tool_is_asked_where_the_driver_has_no_files(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n[ $1 = -L ] && echo 'GPU 0: A' && echo '  MIG 1g' && echo 'GPU 1: A'\n")
    tool.chmod(0o755)
    assert devices_here() == ["0", "1"]


def test_nothing_is_done_where_there_is_no_gpu(tmp_path: Path) -> None:
    before = dict(os.environ)
    with take_slots(2) as taken:
        assert (taken, dict(os.environ), list(tmp_path.iterdir())) == ([], before, [])


def test_cuda_sees_what_was_taken_and_what_a_job_was_given_stays_as_it_is(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("SLURM_JOB_ID", "7")
    machine.setenv("CUDA_VISIBLE_DEVICES", "3,MIG-GPU-8a3f/1/0")
    with take_slots(1) as one:
        assert one == [os.environ["CUDA_VISIBLE_DEVICES"]] == ["3"]
        machine.setenv("CUDA_VISIBLE_DEVICES", "3,MIG-GPU-8a3f/1/0")
        with take_slots(1) as other:
            assert other == ["MIG-GPU-8a3f/1/0"]
    with take_slots(2):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,MIG-GPU-8a3f/1/0"


def test_more_gpus_than_there_are_is_a_users_mistake(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("MTPEFT_DEVICES", "a,b")
    with pytest.raises(UserError, match=r"'gpus' is 3, but this machine has 2 \(a, b\)"), take_slots(3):
        pass


def test_a_folder_that_is_no_folder_of_ones_own_is_refused(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setenv("MTPEFT_DEVICES", "a")
    with take_slots(1):
        (folder,) = tmp_path.glob("mtpeft-gpus-*")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is not yours; set TMPDIR"), take_slots(1):
        pass


@dataclass(frozen=True)
class Steps:
    """Steps on a machine with some GPUs, started one after another, and what each has said."""

    folder: Path
    devices: str
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, gpus: int = 1, cells_per_gpu: int = 1) -> None:
        command = [sys.executable, "-c", STEP, str(gpus), str(cells_per_gpu)]
        environment = {**os.environ, "MTPEFT_DEVICES": self.devices, "PYTHONPATH": os.pathsep.join(sys.path)}
        with (self.folder / name).open("w") as log:
            self.started[name] = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        wait_for(lambda: bool(self.said(name)))

    def said(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    def has(self, name: str) -> str:
        """The GPUs of a step, or none while it waits."""
        return self.said(name)[-1].removeprefix("has ") if self.said(name)[-1].startswith("has ") else ""

    def end(self, name: str) -> None:
        self.started[name].communicate()

    def kill(self, name: str) -> None:
        self.started[name].kill()
        self.started[name].communicate()


@contextmanager
def steps(folder: Path, devices: str) -> Iterator[Steps]:
    (folder / "said").mkdir()
    running = Steps(folder / "said", devices)
    try:
        yield running
    finally:
        for name in running.started:
            running.kill(name)


def test_of_three_steps_on_two_gpus_one_waits_until_a_gpu_is_free(tmp_path: Path) -> None:
    with steps(tmp_path, "a,b") as running:
        for name in ("first", "second", "third"):
            running.start(name)
        assert (running.has("first"), running.has("second")) == ("a", "b")
        assert running.said("third") == ["The GPUs are taken (a, b); waiting for one."]
        running.kill("first")
        wait_for(lambda: running.has("third") == "a")
        running.start("fourth")
        assert running.has("fourth") == ""
        running.end("second")
        wait_for(lambda: running.has("fourth") == "b")


def test_a_step_that_needs_several_takes_them_at_once_and_before_those_that_came_later(tmp_path: Path) -> None:
    with steps(tmp_path, "a,b") as running:
        running.start("one")
        running.start("both", gpus=2)
        running.start("later")
        assert running.said("both") == ["The GPUs are taken (a, b); waiting for 2 of them."]
        assert running.has("later") == ""
        running.end("one")
        wait_for(lambda: running.has("both") == "a b")
        assert running.has("later") == ""
        running.end("both")
        wait_for(lambda: running.has("later") == "a")


def test_small_steps_share_the_least_used_gpu_and_nobody_is_put_beside_one_that_does_not(tmp_path: Path) -> None:
    with steps(tmp_path, "a,b") as running:
        for name in ("first", "second", "third"):
            running.start(name, cells_per_gpu=2)
        assert [running.has(name) for name in ("first", "second", "third")] == ["a", "b", "a"]
        running.start("alone")
        running.start("fourth", cells_per_gpu=3)
        assert (running.has("alone"), running.has("fourth")) == ("", "")
        running.end("second")
        wait_for(lambda: running.has("alone") == "b")
        assert running.has("fourth") == ""
        running.kill("first")
        wait_for(lambda: running.has("fourth") == "a")


def test_a_killed_step_that_waited_lets_the_next_one_have_its_place(tmp_path: Path) -> None:
    with steps(tmp_path, "a") as running:
        for name in ("holder", "waits", "next"):
            running.start(name)
        running.kill("waits")
        running.kill("holder")
        wait_for(lambda: running.has("next") == "a")


def test_slots_that_are_taken_are_counted_by_the_processes_that_live(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.setenv("MTPEFT_DEVICES", "0,MIG-1/2")
    assert taken_slots() == {}
    with take_slots(2, 3), take_slots(1, 2):
        assert taken_slots() == {"0": (2, 2), "MIG-1/2": (1, 3)}
    (place,) = tmp_path.glob("mtpeft-gpus-*/0")
    assert taken_slots() == {"0": (2, 2), "MIG-1/2": (1, 3)}, (
        "files stay until the next step comes, as does this process"
    )
    for slot in place.iterdir():
        slot.rename(slot.with_name(f"99999999-{slot.name.partition('-')[2]}"))
    assert taken_slots() == {"MIG-1/2": (1, 3)}
