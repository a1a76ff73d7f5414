"""A server of datasets on this machine that can misbehave, and an index of mtdata whose entries lie on it."""

import gzip
import io
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from mtpeft.cli import main
from mtpeft.core.files import canonical
from mtpeft.data.sources.mtdata.environment import INDEX
from mtpeft.isolated.install import pins_of
from mtpeft.isolated.run import ISOLATED, PACKAGES
from support.corpus import SENTENCES
from support.loopback import served

ENGLISH, SPANISH, GERMAN = (list(column) for column in zip(*SENTENCES, strict=True))


@dataclass
class Served:
    """A file of the server.

    Attributes:
        breaks: bytes after which each of the first answers breaks off.
        answers: status codes of the first answers.
        promises: what it says its length is, if not the truth.
        goes_on: whether it can send a part of the file.
        tag: what it calls this state of the file.
        asked: the `Range` of each request.
    """

    content: bytes
    breaks: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    promises: int | None = None
    goes_on: bool = True
    tag: str = '"first"'
    asked: list[str | None] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    files: dict[str, "Served"]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        served: Served = self.files[self.path.lstrip("/")]
        wanted = self.headers["Range"]
        served.asked.append(wanted)
        if served.answers:
            self.send_error(served.answers.pop(0))
            return
        total = len(served.content) if served.promises is None else served.promises
        same = self.headers["If-Range"] in (None, served.tag)
        start = int(wanted[6:-1]) if wanted and served.goes_on and same else 0
        if start and start >= len(served.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(served.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - start))
        self.send_header("ETag", served.tag)
        self.end_headers()
        end = start + served.breaks.pop(0) if served.breaks else len(served.content)
        self.wfile.write(served.content[start:end])
        self.close_connection = end < total or total > len(served.content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(files: dict[str, Served]) -> Iterator[str]:
    """Serve files by name; yields the address of their folder."""
    with served(type("Filled", (Handler,), {"files": files})) as address:
        yield address


def lines(sentences: list[str]) -> bytes:
    return "".join(f"{sentence}\n" for sentence in sentences).encode()


def tar(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zipped(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def talks() -> bytes:
    """A table with one column per language and holes in it, as the talks of TED are published."""
    rows = [
        ("talk_name", "en", "es", "de"),
        *(("talk", *row) for row in SENTENCES),
        ("talk", "So.", "Así.", "__NULL__"),
    ]
    return lines(["\t".join(row) for row in rows])


def memory() -> bytes:
    """The first sentences as a translation memory, German first."""
    units = "".join(
        f'<tu><tuv xml:lang="de"><seg>{german}</seg></tuv><tuv xml:lang="en-GB"><seg>{english}</seg></tuv></tu>'
        for english, german in zip(ENGLISH[:5], GERMAN[:5], strict=True)
    )
    return f"<tmx><body>{units}</body></tmx>".encode()


def segments(sentences: list[str]) -> bytes:
    return lines(["<doc>", *(f'<seg id="{n}">{text} &amp; co</seg>' for n, text in enumerate(sentences)), "</doc>"])


def flores() -> bytes:
    names = {"eng_Latn": ENGLISH, "deu_Latn": GERMAN, "swh_Latn": SPANISH}
    return tar({f"flores/devtest/{name}.devtest": lines(column[:12]) for name, column in names.items()})


def escaping() -> bytes:
    """An archive whose first member leads out of any folder that it is unpacked in, and whose others lie behind it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        link = tarfile.TarInfo("linked")
        link.type, link.linkname = tarfile.SYMTYPE, "../../.."
        archive.addfile(link)
        for name, column in (("linked/text.de", GERMAN), ("linked/text.en", ENGLISH)):
            member = tarfile.TarInfo(name)
            member.size = len(lines(column))
            archive.addfile(member, io.BytesIO(lines(column)))
    return packed.getvalue()


FILES = {
    "talks.tar.gz": tar({"talks_train.tsv": talks(), "talks_dev.tsv": talks()}),
    "flores.tar.gz": flores(),
    "moses.zip": zipped({"README": b"hello", "talk.de-en.de": lines(GERMAN), "talk.de-en.en": lines(ENGLISH)}),
    "side.en.gz": gzip.compress(lines(ENGLISH)),
    "side.es.gz": gzip.compress(lines(SPANISH)),
    "short.es.gz": gzip.compress(lines(SPANISH[:-1])),
    "table.tsv.xz": lzma.compress(lines([f"{en}\t{es}\t0.9" for en, es, _ in SENTENCES])),
    "memory.zip": zipped({"memory/all.tmx": memory()}),
    "news.tgz": tar({"sgm/src.de.sgm": segments(GERMAN), "sgm/ref.en.sgm": segments(ENGLISH)}),
    "linked.tar.gz": escaping(),
}
"""The files of the server, by name."""
TALKS = {"url": "talks.tar.gz", "filename": "local_talks.tar.gz", "in_ext": "tsv", "kind": "noisy"}
FLORES = {"url": "flores.tar.gz", "in_ext": "txt"}
ENTRIES: dict[str, dict[str, Any]] = {
    "Local-talks_train-1-eng-deu": {**TALKS, "in_paths": ["talks_train.tsv"], "cols": [1, 3]},
    "Local-talks_train-1-eng-spa": {**TALKS, "in_paths": ["talks_train.tsv"], "cols": [1, 2]},
    "Local-talks_dev-1-eng-deu": {**TALKS, "in_paths": ["talks_dev.tsv"], "cols": [1, 3]},
    "Local-flores_devtest-1-deu-eng": {
        **FLORES, "in_paths": ["flores/devtest/deu_Latn.devtest", "flores/devtest/eng_Latn.devtest"]},
    "Local-flores_devtest-1-eng-swh_Latn": {
        **FLORES, "in_paths": ["flores/devtest/eng_Latn.devtest", "flores/devtest/swh_Latn.devtest"]},
    "Local-flores_devtest-1-eng-zul": {
        **FLORES, "in_paths": ["flores/devtest/eng_Latn.devtest", "flores/devtest/zul_Latn.devtest"]},
    "Local-moses-v1-deu-eng": {"url": "moses.zip", "in_paths": ["*.de", "*.en"], "in_ext": "txt"},
    "Local-sides-1-eng-spa": {"url": ["side.en.gz", "side.es.gz"], "ext": "txt.gz", "in_ext": "txt"},
    "Local-uneven-1-eng-spa": {"url": ["side.en.gz", "short.es.gz"], "ext": "txt.gz", "in_ext": "txt"},
    "Local-table-1-eng-spa_MX": {"url": "table.tsv.xz"},
    "Local-memory-1-eng-deu": {"url": "memory.zip", "in_paths": ["*.tmx"], "in_ext": "tmx"},
    "Local-news-2020-deu-eng": {
        "url": "news.tgz", "in_paths": ["sgm/src.de.sgm", "sgm/ref.en.sgm"], "in_ext": "sgm"},
    "Local-sheet-1-eng-deu": {"url": "sheet.xlsx"},
    "Local-nowhere-1-eng-deu": {"url": "http://127.0.0.1:1/nowhere.tsv"},
    "Local-linked-1-deu-eng": {
        "url": "linked.tar.gz", "in_paths": ["linked/text.de", "linked/text.en"], "in_ext": "txt"},
}  # fmt: skip

MAKE_INDEX = """
import json, logging, pickle, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
logging.disable(logging.INFO)
from mtdata.index import Entry, Index
from mtdata.index.neulab_tedtalks import NoisyEntry
index = Index()
for did, fields in json.load(sys.stdin).items():
    kind = NoisyEntry if fields.pop("kind", "") else Entry
    index.add_entry(kind(did, **fields))
folder = Path(sys.argv[2])
(folder / "mtdata.index.0.5.1.pkl").write_bytes(pickle.dumps(index))
index.store_index(folder / "mtdata.index.0.5.1.jsonl")
"""


def small_environment(real: Path, folder: Path, address: str) -> Path:
    """The packages of an environment with an index of the local server alone; returns its record."""
    (folder / INDEX).mkdir(parents=True)
    (folder / PACKAGES).symlink_to(real / PACKAGES)
    entries = {did: {**fields, "url": _absolute(fields["url"], address)} for did, fields in ENTRIES.items()}
    command = [sys.executable, *ISOLATED, "-c", MAKE_INDEX, str(real / PACKAGES), str(folder / INDEX)]
    environment = {"MTDATA": str(real / INDEX), "PATH": ""}
    subprocess.run(command, input=json.dumps(entries), text=True, env=environment, cwd=folder, check=True)
    record = folder / "installed.json"
    record.write_text("{}", encoding="utf-8")
    return record


def _absolute(url: str | list[str], address: str) -> str | list[str]:
    if isinstance(url, list):
        return [f"{address}/{part}" for part in url]
    return url if "://" in url else f"{address}/{url}"


@dataclass(frozen=True)
class Datasets:
    """The files of the server, by name, and the record of an environment whose index lists them."""

    files: dict[str, Served]
    environment: Path

    def fetch(self, dataset: str, **stated: str) -> int:
        """Run the step as its rule does, in the working directory; returns its exit code."""
        params = canonical({"step_version": 1, "id": dataset, "mtdata": "0.5.1", **stated})
        files = ["--archive", f"data/{dataset}.tsv.gz", "--record", f"data/{dataset}.json"]
        return command("fetch_dataset", "--params", params, "--environment", str(self.environment), *files)


def command(*arguments: str) -> int:
    """The exit code of a command, run in this process."""
    try:
        main(arguments)
    except SystemExit as left:
        return left.code or 0
    return 0


def install(folder: Path) -> Path:
    """Install mtdata as its rule does, with the index of all datasets, which takes it half a minute to make."""
    params = canonical({"step_version": 1, "requirements": pins_of("mtdata")})
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder.parent)
        patched.setattr("mtpeft.cli.die_with_parent", lambda: None)
        assert command("install_mtdata", "--params", params, "--record", str(folder / "installed.json")) == 0
    return folder
