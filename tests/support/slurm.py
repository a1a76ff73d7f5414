"""A real SLURM of one node, on the loopback of this machine, in a folder of its own, as whoever runs the tests."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtpeft.core.process import die_with_parent
from support.waiting import SOON

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun")
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
"""Daemons stand where users do not look."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random")
"""Stand-ins for GPUs: SLURM hands out any character device, and numbers them in CUDA_VISIBLE_DEVICES."""
SECONDS_TO_START = 300
PROFILE = Path(__file__).parents[2] / "workflow/profiles/slurm/profile.yaml"
QUICKER = {"before-status-checks: 30": "before-status-checks: 2"}
ENDED = ("COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL")


@dataclass(frozen=True)
class Job:
    """A job as `squeue` has it: state and reason in SLURM's words, the working folder, the comment of its submitter."""

    number: str
    state: str
    reason: str
    folder: Path
    comment: str

    @property
    def is_alive(self) -> bool:
        """True until it has ended in some way."""
        return self.state not in ENDED


@dataclass(frozen=True)
class Cluster:
    """A running SLURM: where its files are, and what commands need in their environment to find it."""

    folder: Path
    variables: dict[str, str]

    def call(self, *command: str) -> str:
        """Return the output of a command of SLURM.

        Raises:
            AssertionError: it failed.
        """
        environment = {**os.environ, **self.variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=SOON)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jobs(self, folder: Path | None = None) -> list[Job]:
        """All jobs, those that have ended as well, in the order in which they came; of one working folder, if asked."""
        lines = self.call("squeue", "--noheader", "--states=all", "--sort=i", "--format=%i|%T|%r|%Z|%k").splitlines()
        rows = (line.split("|", maxsplit=4) for line in lines)
        found = [Job(number, state, reason, Path(where), comment) for number, state, reason, where, comment in rows]
        return [job for job in found if folder in (None, job.folder)]

    def is_up(self) -> bool:
        """True once the node takes jobs."""
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            return self.call("sinfo", "--noheader", "--format=%T").strip() in ("idle", "mixed", "allocated")
        return False

    def clear(self) -> None:
        """Cancel what runs or waits, and wait until it has gone."""
        self.call("scancel", f"--user={os.getuid()}")
        until = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < until and any(job.is_alive for job in self.jobs()):
            time.sleep(0.2)

    def said(self) -> str:
        """The ends of all logs."""
        logs = sorted((self.folder / "log").iterdir())
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)


def filled_in(folder: Path, values: Mapping[str, str]) -> Path:
    """The project's profile for a cluster, with other words in the place of some, in a folder of its own.

    Snakemake asks sooner how its jobs are doing, since those of tests are short.
    """
    text = PROFILE.read_text(encoding="utf-8")
    for old, new in {**QUICKER, **values}.items():
        assert old in text, old
        text = text.replace(old, new)
    folder.mkdir()
    (folder / "profile.yaml").write_text(text, encoding="utf-8")
    return folder


def missing() -> list[str]:
    """Programs of SLURM and munge that are not installed here."""
    return [program for program in PROGRAMS if not shutil.which(program, path=SEARCH_PATH)]


@contextlib.contextmanager
def running_cluster(folder: Path, *, cpus: int, gpus: int) -> Iterator[Cluster]:
    """Start a SLURM whose node passes for one with so many CPUs and GPUs; at the end it is stopped with its jobs.

    Raises:
        AssertionError: it did not come up; what its daemons said stands in the message.
    """
    for name in ("etc", "log", "spool", "state", "run", "bin"):
        (folder / name).mkdir(parents=True)
    _configure(folder, cpus=cpus, gpus=gpus)
    variables = {"SLURM_CONF": str(folder / "etc/slurm.conf"), "PATH": f"{folder / 'bin'}{os.pathsep}{SEARCH_PATH}"}
    cluster = Cluster(folder, variables)
    with contextlib.ExitStack() as daemons:
        for command in _daemons(folder):
            daemons.enter_context(_running(cluster, command))
        until = time.monotonic() + SECONDS_TO_START
        while not cluster.is_up():
            assert time.monotonic() < until, cluster.said()
            time.sleep(0.1)
        try:
            yield cluster
        finally:
            cluster.clear()


def _daemons(folder: Path) -> list[list[str]]:
    """Commands in the order in which they are started; none leaves the foreground, so that we know its pid."""
    munge = {
        "key-file": "etc/munge.key",
        "socket": "run/munge.sock",
        "pid-file": "run/munged.pid",
        "log-file": "log/munged.log",
        "seed-file": "run/munged.seed",
    }
    files = [f"--{option}={folder / file}" for option, file in munge.items()]
    return [["munged", "--foreground", "--force", *files], ["slurmctld", "-D"], ["slurmd", "-D", "-N", _node()]]


@contextlib.contextmanager
def _running(cluster: Cluster, command: Sequence[str]) -> Iterator[None]:
    """Run a daemon, which is asked to stop at the end, and dies with the tests."""
    with (cluster.folder / f"log/{command[0]}.out").open("wb") as said:
        daemon = subprocess.Popen(
            [str(shutil.which(command[0], path=SEARCH_PATH)), *command[1:]],
            env={**os.environ, **cluster.variables},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
    try:
        yield
    finally:
        daemon.terminate()
        try:
            daemon.wait(SOON)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _node() -> str:
    return socket.gethostname().split(".")[0]


def _configure(folder: Path, *, cpus: int, gpus: int) -> None:
    """Write everything that the daemons read."""
    etc = folder / "etc"
    (etc / "munge.key").write_bytes(secrets.token_bytes(128))
    (etc / "munge.key").chmod(0o600)
    (etc / "cgroup.conf").touch()
    devices = "".join(f"Name=gpu File={device}\n" for device in DEVICES[:gpus])
    (etc / "gres.conf").write_text(devices, encoding="utf-8")
    (etc / "slurm.conf").write_text(_slurm_conf(folder, cpus=cpus, gpus=gpus), encoding="utf-8")
    # The plugin takes SLURM_CONF out of the environment before it calls srun in a job, since a cluster has its
    # configuration in a place that srun knows.
    srun = folder / "bin/srun"
    real = shutil.which("srun", path=SEARCH_PATH)
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={etc / "slurm.conf"} exec {real} "$@"\n', encoding="utf-8")
    srun.chmod(0o755)


def _slurm_conf(folder: Path, *, cpus: int, gpus: int) -> str:
    """The configuration: loopback alone, no accounting, memory limits without control groups."""
    me, node, (controller, worker) = os.getuid(), _node(), _free_ports(2)
    return f"""\
ClusterName=test
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={worker}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={me}
SlurmdUser={me}
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
# A job is its group of processes: of the tree of processes those are lost whose parent has died.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
# A machine of two cores may pass for more.
SlurmdParameters=config_overrides
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
# Memory of a job is looked at every second, and a job above its limit is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
# Seconds from the request to end, at the time limit, to the kill; on clusters mostly 30.
KillWait=10
# Ended jobs stay in squeue for longer than the tests take.
MinJobAge=7200
JobRequeue=1
GresTypes=gpu
NodeName={node} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=32000 {f"Gres=gpu:{gpus} " if gpus else ""}State=UNKNOWN
PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE State=UP
# Jobs in here end those in the other, as on clusters where some have bought their nodes.
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
PartitionName=urgent Nodes={node} PriorityTier=9 MaxTime=INFINITE State=UP
"""


def _free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens at."""
    with contextlib.ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in opened]
