"""Base models of a model hub: fetched once, checked, converted, and taken in as any other."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mtpeft.config.load import merge, validate
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_record, sha256_of
from mtpeft.models.load import load_base
from support.config import DEFAULT
from support.family import build_checkpoint
from support.hub import COMMIT, REPOSITORY, Hub, serve
from support.record import schema_mistakes
from support.sweep import copy, located, run

pytestmark = pytest.mark.slow

WORKFLOW = Path(__file__).parents[2] / "workflow"
MISTAKE = 2


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with safetensors, as a hub holds it."""
    return build_checkpoint("nllb", tmp_path_factory.mktemp("hub") / "nllb")


@pytest.fixture
def pickled(checkpoint: Path, tmp_path: Path) -> Path:
    """The same with pickled weights alone."""
    folder = Path(shutil.copytree(checkpoint, tmp_path / "pickled"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def _fetch(folder: Path, hub: Hub | None, *, named: str = f"{REPOSITORY}@{COMMIT}", **extra: str) -> tuple[int, str]:
    """Exit code of the command that fetches a model, and what it says."""
    url = hub.url if hub else "http://127.0.0.1:9"
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW), "HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0", **extra}
    params = json.dumps({"step_version": 1, "hub": named})
    command = [sys.executable, "-m", "mtpeft", "fetch_model", "--params", params, "--record", "models/mine/base.json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def _record(folder: Path) -> dict[str, Any]:
    return read_record(folder / "models/mine/base.json")


def test_a_revision_is_fetched_once(checkpoint: Path, tmp_path: Path) -> None:
    with serve(Hub(checkpoint)) as hub:
        assert _fetch(tmp_path, hub) == (0, "")
        asked = hub.asked.copy()
        assert _fetch(tmp_path, hub)[0] == 0
    assert asked["GET model.safetensors"] == hub.asked["GET model.safetensors"] == 1
    record = _record(tmp_path)
    assert schema_mistakes(tmp_path / "models/mine/base.json", "base") == []
    assert record["origin"] == {"commit": COMMIT, "converted_from": {}}
    assert record["exposure"].startswith("unknown")
    fetched = tmp_path / record["folder"]
    assert {name: sha256_of(fetched / name) for name in record["sha256"]} == record["sha256"]
    assert record["sha256"]["model.safetensors"] == sha256_of(checkpoint / "model.safetensors")
    assert torch.equal(load_base(fetched).lm_head.weight, load_base(checkpoint).lm_head.weight)


@pytest.mark.parametrize("breaks", [1, 3])
def test_a_download_that_breaks_off_goes_on_where_it_stopped(checkpoint: Path, tmp_path: Path, breaks: int) -> None:
    with serve(Hub(checkpoint, breaks=breaks)) as hub:
        assert _fetch(tmp_path, hub)[0] == 0
    assert hub.asked["GET model.safetensors"] + hub.asked["GET sentencepiece.bpe.model"] == 2 + breaks
    assert _record(tmp_path)["sha256"]["model.safetensors"] == sha256_of(checkpoint / "model.safetensors")


def test_pickled_weights_are_converted(checkpoint: Path, pickled: Path, tmp_path: Path) -> None:
    digest = sha256_of(pickled / "pytorch_model.bin")
    with serve(Hub(pickled)) as hub:
        assert _fetch(tmp_path, hub)[0] == 0
    record = _record(tmp_path)
    fetched = tmp_path / record["folder"]
    assert record["origin"]["converted_from"] == {"pytorch_model.bin": digest}
    assert not list(fetched.glob("*.bin"))
    assert {"config.json", "model.safetensors", "tokenizer_config.json"} <= {*record["sha256"]}
    assert "pytorch_model.bin" not in record["sha256"]
    own, made = (load_base(folder).state_dict() for folder in (checkpoint, fetched))
    assert own.keys() == made.keys()
    assert all(torch.equal(own[name], made[name]) for name in own)


def test_a_fetched_model_needs_the_hub_no_more(checkpoint: Path, tmp_path: Path) -> None:
    with serve(Hub(checkpoint)) as hub:
        _fetch(tmp_path, hub)
    code = (
        "import sys; from pathlib import Path; from mtpeft.models.load import load_base; load_base(Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW), "HF_ENDPOINT": "http://127.0.0.1:9"}
    subprocess.run([sys.executable, "-c", code, _record(tmp_path)["folder"]], cwd=tmp_path, env=environment, check=True)


class Trap:
    """An object whose pickle runs code when it is read."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, ("trapped",)


def _set_trap(folder: Path) -> None:
    torch.save({"model.shared.weight": Trap()}, folder / "pytorch_model.bin")


def _cut(folder: Path) -> None:
    file = folder / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:5000])


def _lack_a_layer(folder: Path) -> None:
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    del weights["model.encoder.layers.1.fc1.weight"]
    torch.save(weights, folder / "pytorch_model.bin")


def _set(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return change


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


WRONG = {
    "more than tensors": (_set_trap, "holds more than tensors"),
    "cut pickle": (_cut, "holds more than tensors, or is cut short"),
    "a layer missing": (_lack_a_layer, r"lack 'model\.encoder\.layers\.1\.fc1\.weight'"),
    "another architecture": (_set(model_type="bert"), "model_type 'bert', which is not supported"),
    "no configuration": (_remove("config.json"), "has no config.json"),
    "no weights": (_remove("pytorch_model.bin"), "holds no weights"),
    "another tokenizer": (
        lambda folder: (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}'),
        "tokenizer of class 'BertTokenizer'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_repository_without_a_model_is_refused(pickled: Path, tmp_path: Path, case: str) -> None:
    change, expected = WRONG[case]
    change(pickled)
    with serve(Hub(pickled)) as hub:
        code, said = _fetch(tmp_path, hub)
    assert (code, "Traceback" in said) == (MISTAKE, False), said
    assert re.search(expected, said), said
    assert not (tmp_path / "models/mine/base.json").exists()
    assert not (tmp_path / "trapped").exists()


UNKNOWN = {
    "repository": (f"nobody/none@{COMMIT}", "which the hub does not have"),
    "revision": (f"{REPOSITORY}@{'f' * 40}", "names the revision 'ffff"),
    "no commit": (f"{REPOSITORY}@main", f"write the commit that it is at now: '{REPOSITORY}@{COMMIT}'"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_repository_or_commit_that_the_hub_lacks_is_named(checkpoint: Path, tmp_path: Path, case: str) -> None:
    named, expected = UNKNOWN[case]
    with serve(Hub(checkpoint)) as hub:
        code, said = _fetch(tmp_path, hub, named=named)
    assert (code, expected in said) == (MISTAKE, True), said
    assert not (tmp_path / "models/mine/base.json").exists()


NO_COMMITS = (
    "owner/name",
    "owner/name@",
    "owner/name@main",
    "owner/name@v1.0",
    "owner/name@refs/pr/1",
    "owner/name@../main",
    f"../name@{COMMIT}",
    f"owner/..@{COMMIT}",
    f"owner/../name@{COMMIT}",
    f"owner/na..me@{COMMIT}",
    f"/owner/name@{COMMIT}",
    f"name@{COMMIT}",
    f"owner/name @{COMMIT}",
    f"owner/name@{COMMIT} ",
    f"owner/name@{COMMIT}\n",
    f"owner/name@{COMMIT[:-1]}g",
    f"owner/name@{COMMIT}0",
    f"somewhere.org/owner/name@{COMMIT}",
)


@pytest.mark.parametrize("named", NO_COMMITS)
def test_a_model_of_the_hub_is_named_by_its_commit(named: str) -> None:
    overlay = {"models": {"mine": {"hub": named}}}
    with pytest.raises(UserError, match=r"'models\.mine\.hub' is .*; write 'owner/name@commit'"):
        validate(merge(DEFAULT, overlay))
    assert validate(merge(DEFAULT, {"models": {"mine": {"hub": f"own-er/n.a_m-e@{COMMIT[:7]}"}}}))


@pytest.mark.parametrize("trouble", ["lies", "shorter"])
def test_a_file_that_is_not_as_it_was_announced_is_thrown_away(checkpoint: Path, tmp_path: Path, trouble: str) -> None:
    with serve(Hub(checkpoint, **{trouble: ("model.safetensors",)})) as hub:
        code, said = _fetch(tmp_path, hub)
    assert code == MISTAKE
    assert "model.safetensors came with" in said
    assert not (tmp_path / "models/mine/hub/model.safetensors").exists()
    with serve(Hub(checkpoint)) as hub:
        assert _fetch(tmp_path, hub)[0] == 0


def test_a_hub_that_is_out_of_reach_gives_an_error_message(checkpoint: Path, tmp_path: Path) -> None:
    code, said = _fetch(tmp_path, None)
    assert (code, "could not be fetched" in said, "Traceback" in said) == (MISTAKE, True, False), said
    code, said = _fetch(tmp_path, None, HF_HUB_OFFLINE="1")
    assert (code, "HF_HUB_OFFLINE" in said) == (MISTAKE, True), said


def test_a_model_of_a_hub_goes_through_the_workflow(checkpoint: Path, finished: Path, tmp_path: Path) -> None:
    """Planned before anything is known of it, fetched, encoded with its own tokenizer, tuned, decoded, scored."""
    folder = copy(finished, tmp_path / "sweep")
    cell = "results/cells/mine/es-en/n200/lora/b5/1/score.json"
    overlay = {
        "models": {"mine": {"hub": f"{REPOSITORY}@{COMMIT}"}},
        "studies": {"budgets": {"models": ["mine"], "methods": ["lora"]}},
        "findings": None,
    }
    with serve(Hub(checkpoint)) as hub:
        code, said = run(folder, overlay=overlay, options=["--target", cell], HF_ENDPOINT=hub.url)
    assert code == 0, said[-3000:]
    assert read_record(located(folder, cell))["status"] == "ok"
