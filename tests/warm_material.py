"""Wait for a process that forks for jobs."""

import socket
import time
from collections.abc import Callable

from mtpeft.warm.request import address_of


def is_listening(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        return connection.connect_ex(address_of(name)) == 0


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
