"""A model hub on the loopback interface that takes uploads: a commit becomes files of a folder."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from support.loopback import served

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


@dataclass
class UploadHub:
    """What a hub was given.

    Attributes:
        folder: files of the repository after the commit.
        token: that it asks for.
        made: what repositories were asked for.
        objects: contents of large files by their SHA-256.
    """

    folder: Path
    token: str
    made: list[dict[str, object]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    url: str = ""


@contextmanager
def serve(hub: UploadHub) -> Iterator[UploadHub]:
    """Run the server until the end of the block."""
    with served(type("Handler", (_Handler,), {"hub": hub})) as hub.url:
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: UploadHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(404, {"error": "not found"})

    def do_PUT(self) -> None:
        content = self._body()
        self.hub.objects[hashlib.sha256(content).hexdigest()] = content
        self._send(200, {})

    def do_POST(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._send(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            self.hub.made.append(json.loads(body))
            self._send(200, {"url": f"{self.hub.url}/somebody/tuned", "id": "somebody/tuned", "name": "somebody/tuned"})
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif "/preupload/" in path:
            self._send(200, {"files": [_mode(file) for file in json.loads(body)["files"]]})
        elif path.endswith("/info/lfs/objects/batch"):
            self._send(
                200, {"transfer": "basic", "objects": [self._wanted(own) for own in json.loads(body)["objects"]]}
            )
        elif "/commit/" in path:
            for line in body.splitlines():
                self._take(json.loads(line))
            commit = f"{self.hub.url}/somebody/tuned/commit/{COMMIT}"
            self._send(200, {"success": True, "commitOid": COMMIT, "commitUrl": commit, "hookOutput": ""})
        else:
            self._send(404, {"error": f"{path} is not known here"})

    def _wanted(self, large: dict[str, object]) -> dict[str, object]:
        upload = {"href": f"{self.hub.url}/objects/{large['oid']}", "header": {}}
        return {"oid": large["oid"], "size": large["size"], "actions": {"upload": upload}}

    def _take(self, operation: dict[str, dict[str, str]]) -> None:
        """Write a file of a commit, whose line names a key and a value."""
        value = operation["value"]
        if operation["key"] == "file":
            content = base64.b64decode(value["content"])
        elif operation["key"] == "lfsFile":
            content = self.hub.objects[value["oid"]]
        else:
            return
        file = self.hub.folder / value["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, answer: dict[str, object]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _mode(file: dict[str, object]) -> dict[str, object]:
    is_large = str(file["path"]).endswith(".safetensors")
    return {"path": file["path"], "uploadMode": "lfs" if is_large else "regular", "shouldIgnore": False, "oid": None}
