"""Who works in a results folder: a record, a kernel lock, and signs of life for other machines."""

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
from mtpeft.cluster.folder_lock import RECORD, SILENCE_SECONDS, find_holder, holding
from mtpeft.config.load import load
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
    record = {"pid": NOBODY, "host": HERE, "started": 1000.0, "since": 1000.0, "configuration": "theirs"}
    RECORD.write_text(json.dumps(record | {"settled": True, "ended": False} | changes))
    os.utime(RECORD, (time.time() - silent,) * 2)


def test_nobody_holds_a_new_folder() -> None:
    assert find_holder() is None
    assert not RECORD.parent.exists()


def test_a_second_holder_is_refused_with_who_holds_it() -> None:
    with holding():
        found = find_holder()
        assert found
        assert (found.lives, found.ended, found.pid, found.host) == (True, False, os.getpid(), HERE)
        with (
            pytest.raises(UserError, match=rf"process {os.getpid()} on {HERE}, started 20.*; it lives, last sign"),
            holding(),
        ):
            pass
        assert find_holder() == found
    ended = find_holder()
    assert ended
    assert (ended.lives, ended.ended, ended.settled) == (False, True, True)
    with holding():
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
    found = find_holder()
    assert found
    assert found.lives is lives
    if lives:
        with pytest.raises(UserError, match="elsewhere"), holding():
            pass
    else:
        with holding() as hold:
            assert hold.holder.host == HERE


@pytest.mark.parametrize(("pid", "lives"), [(os.getpid(), ALIVE), (NOBODY, DEAD)], ids=["living", "dead"])
def test_where_a_file_system_has_no_locks_the_process_tells(
    pid: int, lives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(stream: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    left_behind(silent=1, pid=pid)
    found = find_holder()
    assert found
    assert found.lives is lives


def test_a_living_holder_gives_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "HEARTBEAT_SECONDS", 0.02)
    with holding():
        os.utime(RECORD, (0, 0))
        wait_for(lambda: RECORD.stat().st_mtime > 0, SOON)


def test_what_a_killed_holder_left_unsettled_stays_so_until_it_is_settled() -> None:
    left_behind(silent=1, settled=False)
    for _ in range(2):
        with holding() as hold:
            assert (hold.holder.settled, hold.holder.since, hold.holder.configuration) == (False, 1000.0, "theirs")
    with holding() as hold:
        hold.update(settled=True)
        hold.submit(load([]), cluster=True)
        found = find_holder()
        assert found
        assert not found.settled
        assert found.since > 1000.0
        assert found.configuration == folder_lock.hash_of(load([]))


def test_a_record_that_can_not_be_read_may_be_one_that_is_being_written() -> None:
    left_behind(silent=0)
    RECORD.write_text('{"pid": 4711, "host"')
    with pytest.raises(UserError, match="unknown machine"), holding():
        pass
    os.utime(RECORD, (0, 0))
    with holding() as hold:
        assert hold.holder.pid == os.getpid()
