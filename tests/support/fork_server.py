"""Check that a process that forks for jobs listens."""

import socket

from mtpeft.forkserver.client import address_of


def is_listening(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        return connection.connect_ex(address_of(name)) == 0
