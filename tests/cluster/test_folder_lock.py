"""The lock of a results folder: a record, a kernel lock, and signs of life for other machines."""

import errno
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cluster import folder_lock
from mtpeft.cluster.folder_lock import RECORD, SILENCE_SECONDS, lock_folder, read_holder
from mtpeft.core.errors import UserError
from support.waiting import SOON, wait_for

HERE = socket.gethostname()
NOBODY = 2**22 + 1
"""A process that no Linux has."""


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def left_behind(*, silent: float, **changes: Any) -> None:
    """A record that somebody wrote some seconds ago, whose lock nobody holds."""
    RECORD.parent.mkdir()
    record = {"pid": NOBODY, "host": HERE, "started": 1000.0, "submitted": 1000.0, "configuration": "theirs"}
    RECORD.write_text(json.dumps(record | {"needs_recovery": False, "ended": False} | changes))
    os.utime(RECORD, (time.time() - silent,) * 2)


def test_nobody_holds_a_new_folder() -> None:
    assert read_holder() is None
    assert not RECORD.parent.exists()


def test_a_second_holder_is_refused_with_who_holds_it() -> None:
    with lock_folder():
        found = read_holder()
        assert found
        assert (found.lives, found.ended, found.pid, found.host) == (True, False, os.getpid(), HERE)
        with (
            pytest.raises(UserError, match=rf"process {os.getpid()} on {HERE}, started 20.*; it lives, last sign"),
            lock_folder(),
        ):
            pass
        assert read_holder() == found
    ended = read_holder()
    assert ended
    assert (ended.lives, ended.ended, ended.needs_recovery) == (False, True, False)
    with lock_folder():
        pass


DEAD, ALIVE = False, True
LEFT = {
    "killed here": ({}, 0, DEAD),
    "ended here": ({"ended": True}, 0, DEAD),
    "works elsewhere": ({"host": "elsewhere"}, SILENCE_SECONDS / 2, ALIVE),
    "elsewhere with a clock that is ahead": ({"host": "elsewhere"}, -60, ALIVE),
    "killed elsewhere": ({"host": "elsewhere"}, SILENCE_SECONDS + 60, DEAD),
    "ended elsewhere": ({"host": "elsewhere", "ended": True}, 0, DEAD),
}


@pytest.mark.parametrize("case", LEFT)
def test_a_holder_without_a_lock_lives_only_elsewhere_and_while_it_gives_signs(case: str) -> None:
    changes, silent, lives = LEFT[case]
    left_behind(silent=silent, **changes)
    found = read_holder()
    assert found
    assert found.lives is lives
    if lives:
        with pytest.raises(UserError, match="elsewhere"), lock_folder():
            pass
    else:
        with lock_folder() as lock:
            assert lock.holder.host == HERE


@pytest.mark.parametrize(("pid", "lives"), [(os.getpid(), ALIVE), (NOBODY, DEAD)], ids=["living", "dead"])
def test_without_locks_of_the_file_system_the_process_id_decides(
    pid: int, lives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(stream: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    left_behind(silent=1, pid=pid)
    found = read_holder()
    assert found
    assert found.lives is lives


def test_a_living_holder_refreshes_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "HEARTBEAT_SECONDS", 0.02)
    with lock_folder():
        os.utime(RECORD, (0, 0))
        wait_for(lambda: RECORD.stat().st_mtime > 0, SOON)


def test_jobs_of_a_killed_holder_need_recovery_until_they_have_got_it() -> None:
    left_behind(silent=1, needs_recovery=True)
    for _ in range(2):
        with lock_folder() as lock:
            assert (lock.holder.needs_recovery, lock.holder.submitted, lock.holder.configuration) == (
                True,
                1000.0,
                "theirs",
            )
    with lock_folder() as lock:
        lock.update(needs_recovery=False)
        lock.begin_submissions("ours", cluster=True)
        found = read_holder()
        assert found
        assert found.needs_recovery
        assert found.submitted > 1000.0
        assert found.configuration == "ours"


def test_a_record_that_can_not_be_read_may_be_one_that_is_being_written() -> None:
    left_behind(silent=0)
    RECORD.write_text('{"pid": 4711, "host"')
    with pytest.raises(UserError, match="unknown machine"), lock_folder():
        pass
    os.utime(RECORD, (0, 0))
    with lock_folder() as lock:
        assert lock.holder.pid == os.getpid()
