"""Download a file whole or not at all; an interrupted download is continued, in this run or in a later one."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock
from urllib3.exceptions import HTTPError

from mtpeft.core.errors import UserError
from mtpeft.core.files import write_record

WAITS = (1, 3, 10, 30)
"""Seconds to wait before each further try, after a try that has brought nothing new."""
TIMEOUT = (15, 60)
"""Longest seconds to wait for a connection, and for the next bytes."""
CHUNK = 1 << 16
TRY_LATER = (408, 425, 429, 500, 502, 503, 504)
FAILURES = (requests.RequestException, HTTPError)


@dataclass(frozen=True)
class Part:
    """The part of a file that has been received; a second file keeps the server's description of the whole file."""

    path: Path

    @property
    def about(self) -> Path:
        """Path of the description."""
        return self.path.with_name(f"{self.path.name}.json")

    def size(self) -> int:
        """Count the bytes that have been received."""
        return self.path.stat().st_size if self.path.exists() else 0

    def promised(self) -> dict[str, Any]:
        """Read the length and the state of the file on the server, as they were when the download began."""
        return json.loads(self.about.read_text(encoding="utf-8")) if self.about.exists() and self.size() else {}

    def drop(self) -> None:
        """Delete what has been received."""
        self.path.unlink(missing_ok=True)
        self.about.unlink(missing_ok=True)


def download(url: str, path: Path) -> None:
    """Download a file to a path, unless an earlier run has done so; other processes that want the file wait.

    Raises:
        UserError: the server is not reached, does not have the file, or never sends all that it promises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        if path.exists():
            return
        part = Part(path.with_name(f"{path.name}.part"))
        _receive_all(url, part)
        os.replace(part.path, path)
        part.drop()


def _receive_all(url: str, part: Part) -> None:
    most, waits = part.size(), iter(WAITS)
    while True:
        try:
            _receive(url, part)
            return
        except FAILURES as error:
            grown = part.size() > most
            most, waits = max(most, part.size()), iter(WAITS) if grown else waits
            wait = 0 if grown else next(waits, None)
            if wait is None:
                raise UserError(_given_up(url, part, error)) from None
        time.sleep(wait)


def _receive(url: str, part: Part) -> None:
    """Try once to receive the rest of the file if the server still has the same one, else all of it."""
    promised = part.promised()
    with requests.get(url, headers=_headers(part.size(), promised), stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            _check_end(url, part, answer)
            return
        if answer.status_code in TRY_LATER:
            raise requests.HTTPError(f"{answer.status_code} {answer.reason}")
        if answer.status_code >= requests.codes.bad_request:
            raise UserError(
                f"The server of {url} answers {answer.status_code} {answer.reason}: mtdata's index is out of date or "
                "the server has moved it, so write another id in corpora.*.mtdata."
            )
        goes_on = answer.status_code == requests.codes.partial_content and _is_rest(answer, part.size(), promised)
        if not goes_on:
            part.drop()
            if answer.status_code == requests.codes.partial_content:
                raise requests.HTTPError("the file on the server is another one now")
            write_record(part.about, _about(answer))
        # The bytes as they lie on the server: some call a .gz file an encoded one, and requests would decode it.
        with part.path.open("ab" if goes_on else "wb") as file:
            for chunk in answer.raw.stream(CHUNK, decode_content=False):
                file.write(chunk)


def _headers(begun: int, promised: dict[str, Any]) -> dict[str, str]:
    headers = {"User-Agent": "mtpeft", "Accept-Encoding": "identity"}
    if promised:
        headers["Range"] = f"bytes={begun}-"
        if promised["state"]:
            headers["If-Range"] = promised["state"]
    return headers


def _about(answer: requests.Response) -> dict[str, Any]:
    """Read the length and the state of the file; a weak tag is no state, since it does not identify bytes."""
    tag = answer.headers.get("ETag", "")
    state = answer.headers.get("Last-Modified") if not tag or tag.startswith("W/") else tag
    length = answer.headers.get("Content-Length")
    return {"length": int(length) if length else None, "state": state}


def _is_rest(answer: requests.Response, begun: int, promised: dict[str, Any]) -> bool:
    """Say whether the server continues where the part ends, in a file of the same length as before."""
    place, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    known = str(promised.get("length"))
    return place.split("-")[0] == str(begun) and known in (total, "None")


def _check_end(url: str, part: Part, answer: requests.Response) -> None:
    """Check a part after which the server has nothing: it is whole if it has the length that was promised."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    has, promised = part.size(), part.promised().get("length")
    if has == promised:
        return
    part.drop()
    if total != str(has):
        raise requests.HTTPError("the file on the server is another one now")
    raise UserError(
        f"The server of {url} promised {promised} bytes and has {has}: its file is cut short or being changed, so run "
        "again later, or write another id in corpora.*.mtdata."
    )


def _given_up(url: str, part: Part, error: BaseException) -> str:
    reason: BaseException = error
    while reason.__cause__ or reason.__context__:
        reason = reason.__cause__ or reason.__context__
    said = " ".join(str(reason).split()).rstrip(".") or type(reason).__name__
    tries = len(WAITS) + 1
    if not part.size():
        return (
            f"The server of {url} gave nothing in {tries} tries ({said}): mend the network or its proxy, or run again "
            "later."
        )
    promised = part.promised().get("length") or "an unknown number of"
    return (
        f"The server of {url} broke off after {part.size()} of {promised} bytes, {tries} times ({said}): run again, "
        "which goes on from there."
    )
