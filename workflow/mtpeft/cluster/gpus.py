"""The GPUs that steps may use on this machine, found without torch, and the locks that share them among steps.

A GPU is a slot: a step takes as many as it needs before CUDA starts, and they are free again when the step has ended,
however it ended. The locks are the kernel's own (`flock`): the library filelock truncates the files that it locks, and
ours say how many steps may share a GPU.
"""

import contextlib
import fcntl
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from mtpeft.core.errors import UserError
from mtpeft.core.provenance import SHARED_VARIABLE, VISIBLE_VARIABLE

DEVICES_VARIABLE = "MTPEFT_DEVICES"
"""Names of the GPUs to use, where not all should be, as in CUDA_VISIBLE_DEVICES."""
JOB_VARIABLES = ("SLURM_JOB_ID", "SLURM_STEP_ID")
NO_DEVICE = ("", "-1", "NoDevFiles")
"""Values with which CUDA and SLURM say that there is no GPU, or that no more follow."""
DRIVER_FILES = Path("/dev")
TOOL = "nvidia-smi"
QUEUE = "queue"
POLL_SECONDS = 0.2


def devices_here() -> list[str]:
    """Names of the GPUs that may be used, as CUDA_VISIBLE_DEVICES has them; none on a machine without.

    A SLURM job has those that it was given, whatever the machine has besides.
    """
    in_job = JOB_VARIABLES[0] in os.environ
    if not in_job and os.environ.get(DEVICES_VARIABLE):
        return _listed(os.environ[DEVICES_VARIABLE])
    if _torch_version().endswith("+cpu"):
        return []
    if in_job or VISIBLE_VARIABLE in os.environ:
        return _listed(os.environ.get(VISIBLE_VARIABLE, ""))
    return [str(number) for number in range(_count_gpus())]


def _torch_version() -> str:
    from importlib.metadata import version  # takes as long as the rest of this module and what it imports

    return version("torch")


def _listed(variable: str) -> list[str]:
    names = [name.strip() for name in variable.split(",")]
    end = next((place for place, name in enumerate(names) if name in NO_DEVICE), len(names))
    return list(dict.fromkeys(names[:end]))


def _count_gpus() -> int:
    """Number of GPUs for which the driver has files; where it has none, as in WSL, `nvidia-smi` is asked."""
    files = [file for file in DRIVER_FILES.glob("nvidia*") if re.fullmatch(r"nvidia\d+", file.name)]
    if files or not shutil.which(TOOL):
        return len(files)
    import subprocess

    listed = subprocess.run([TOOL, "-L"], capture_output=True, text=True, check=False).stdout
    return sum(line.startswith("GPU ") for line in listed.splitlines())


@contextlib.contextmanager
def take_slots(gpus: int, cells_per_gpu: int = 1) -> Iterator[list[str]]:
    """Hold GPUs of which CUDA then sees no others; waits until so many are free. Yields their names.

    Where there is no GPU nothing is done, and no name is yielded. Whoever waits longest takes all that it needs at
    once, so no two steps each hold what the other waits for. A GPU is shared where all that use it allow it.

    Args:
        gpus: how many.
        cells_per_gpu: steps on one GPU at a time, this one among them.

    Raises:
        UserError: there are fewer GPUs, or the folder of the locks is another user's.
    """
    devices = devices_here()
    if not devices:
        yield []
        return
    if gpus > len(devices):
        in_job = JOB_VARIABLES[0] in os.environ
        instead = f"ask for `gpu: {gpus}` in the profile, or write" if in_job else "write"
        raise UserError(
            f"The model's 'gpus' is {gpus}, but this {'job has' if in_job else 'machine has'} {len(devices)} "
            f"({', '.join(devices)}); {instead} at most so many in 'models'."
        )
    with contextlib.ExitStack() as held:
        taken = held.enter_context(_wait_for(devices, gpus, cells_per_gpu))
        held.enter_context(_variables({VISIBLE_VARIABLE: ",".join(taken), SHARED_VARIABLE: str(cells_per_gpu)}))
        yield taken


def taken_slots() -> dict[str, tuple[int, int]]:
    """For each GPU on which steps of this user run here, how many do and how many may; no lock is taken or asked for.

    A step that has ended leaves its file until the next one comes, so the processes that the files name are looked for.
    """
    from urllib.parse import unquote

    found: dict[str, tuple[int, int]] = {}
    for place in sorted(own for own in _lock_folder_name().glob("*") if own.is_dir()):
        limits = [int(slot.read_text() or 1) for slot in place.glob("*-*") if _lives(slot.name.partition("-")[0])]
        if limits:
            found[unquote(place.name)] = len(limits), min(limits)
    return found


def _lives(process: str) -> bool:
    return Path(f"/proc/{process}").exists()


@contextlib.contextmanager
def _wait_for(devices: Sequence[str], gpus: int, cells_per_gpu: int) -> Iterator[list[str]]:
    """Hold as many GPUs as are needed, those with the fewest steps, once so many are free."""
    folder = _lock_folder()
    with contextlib.ExitStack() as held:
        with (folder / QUEUE).open("a") as queue:
            told = False
            if not _lock(queue):
                told = _say_waiting(gpus, devices)
                fcntl.flock(queue, fcntl.LOCK_EX)
            # Nobody else takes a slot from here on.
            while len(free := _free_devices(folder, devices, cells_per_gpu)) < gpus:
                told = told or _say_waiting(gpus, devices)
                time.sleep(POLL_SECONDS)
            taken = sorted(free[:gpus], key=devices.index)
            for device in taken:
                held.enter_context(_lock_slot(folder, device, cells_per_gpu))
        yield taken


def _free_devices(folder: Path, devices: Sequence[str], cells_per_gpu: int) -> list[str]:
    """GPUs on which another step may run, those with the fewest steps first."""
    limits = {device: _limits_on(_slots_folder(folder, device)) for device in devices}
    free = [device for device in devices if len(limits[device]) < min([cells_per_gpu, *limits[device]])]
    return sorted(free, key=lambda device: len(limits[device]))


def _limits_on(place: Path) -> list[int]:
    """For each step on a GPU, how many steps it lets run there. Files of steps that have ended are removed."""
    limits = []
    for file in place.glob("*"):
        with file.open("r+") as slot:
            if _lock(slot):
                file.unlink()
            else:
                limits.append(int(slot.read()))
    return limits


@contextlib.contextmanager
def _lock_slot(folder: Path, device: str, cells_per_gpu: int) -> Iterator[None]:
    """Hold a slot of a GPU; its file says how many steps may share it."""
    place = _slots_folder(folder, device)
    place.mkdir(exist_ok=True)
    with (place / f"{os.getpid()}-{os.urandom(4).hex()}").open("w") as slot:
        fcntl.flock(slot, fcntl.LOCK_EX)
        slot.write(str(cells_per_gpu))
        slot.flush()
        yield


def _slots_folder(folder: Path, device: str) -> Path:
    """Folder of a GPU's slots, with a quoted name: parts of a GPU have slashes in theirs."""
    from urllib.parse import quote

    return folder / quote(device, safe="")


def _lock_folder_name() -> Path:
    """Folder of this user's locks on this machine, or in this SLURM job, where GPUs are numbered anew.

    XDG_RUNTIME_DIR would not do: it is removed when the user logs out, while a sweep goes on.
    """
    import tempfile

    job = [os.environ[name] for name in JOB_VARIABLES if name in os.environ]
    return Path(tempfile.gettempdir()) / "-".join(["mtpeft-gpus", str(os.geteuid()), socket.gethostname(), *job])


def _lock_folder() -> Path:
    """Make the folder of this user's locks.

    Raises:
        UserError: somebody else has made it.
    """
    folder = _lock_folder_name()
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
        raise UserError(f"{folder} is not yours; set TMPDIR to a folder on this machine where you alone write.")
    return folder


def _lock(file: IO[str]) -> bool:
    """Take the lock of a file if nobody has it; closing the file frees it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say_waiting(gpus: int, devices: Sequence[str]) -> bool:
    wanted = "one" if gpus == 1 else f"{gpus} of them"
    print(f"The GPUs are taken ({', '.join(devices)}); waiting for {wanted}.", flush=True)
    return True


@contextlib.contextmanager
def _variables(given: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables until the block ends."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
