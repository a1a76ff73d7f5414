"""A model hub on the loopback interface: what the hub's client asks for, and the ways in which answers fail."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from support.loopback import served

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "somebody/tiny"


@dataclass
class Hub:
    """The files of the server, and its behaviour.

    Attributes:
        folder: files of the one repository at its one commit.
        breaks: so many answers to requests for a large file end half way.
        lies: files whose content is not what the list of files says.
        shorter: files that the list of files says are longer than they are.
        gone: the server answers nothing but that it is out of order.
        asked: number of requests by method and file.
    """

    folder: Path
    breaks: int = 0
    lies: tuple[str, ...] = ()
    shorter: tuple[str, ...] = ()
    gone: bool = False
    asked: Counter[str] = field(default_factory=Counter)
    url: str = ""


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Run the server until the end of the block."""
    with served(type("Handler", (_Handler,), {"hub": hub})) as hub.url:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        path = urlsplit(self.path).path.strip("/")
        self.hub.asked[f"{self.command} {path.rsplit('/', 1)[-1]}"] += 1
        if self.hub.gone:
            self._send(503, b"")
        elif REPOSITORY not in path:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif COMMIT not in path and not path.endswith("revision/main"):
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif path.startswith("api/"):
            self._send(200, json.dumps(self._listed()).encode(), {"Content-Type": "application/json"})
        else:
            self._send_file(self.hub.folder / path.split(f"{COMMIT}/")[-1], body=body)

    def _listed(self) -> dict[str, object]:
        siblings = []
        for file in sorted(filter(Path.is_file, self.hub.folder.rglob("*"))):
            content = b"another" if file.name in self.hub.lies else file.read_bytes()
            size = file.stat().st_size + (file.name in self.hub.shorter)
            described = {"rfilename": str(file.relative_to(self.hub.folder)), "size": size}
            if file.suffix in (".safetensors", ".bin"):
                digest = hashlib.sha256(content).hexdigest()
                described["lfs"] = {"sha256": digest, "size": size, "pointerSize": 134}
            siblings.append(described)
        return {"id": REPOSITORY, "modelId": REPOSITORY, "sha": COMMIT, "siblings": siblings, "tags": []}

    def _send_file(self, file: Path, *, body: bool) -> None:
        if not file.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        content = file.read_bytes()
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        status = 200
        if first:
            status, headers["Content-Range"] = 206, f"bytes {first}-{len(content) - 1}/{len(content)}"
        if body and len(content) > 10_000 and self.hub.breaks:
            self.hub.breaks -= 1
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content) - first)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[first : first + (len(content) - first) // 2])
            self.close_connection = True
            return
        self._send(status, content[first:], headers, body=body)

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None, *, body: bool = True) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(content)
