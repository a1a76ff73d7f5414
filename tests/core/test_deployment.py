"""Container files, manifests and the catalogue's description agree with what the project has."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mtpeft.front.commands import COMMANDS

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "envs/Dockerfile").read_text(encoding="utf-8")
APPTAINER = (ROOT / "envs/apptainer.def").read_text(encoding="utf-8")
VERSION = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), flags=re.M)[1]


def copied_into(text: str) -> list[str]:
    """The files and folders that an image gets, by either of its descriptions."""
    lines = re.findall(r"^COPY (.+) \S+$", text, flags=re.M) or re.findall(r"^    (\S+) /mtpeft/\S+$", text, flags=re.M)
    return [name for line in lines for name in line.split()]


def test_an_image_holds_what_the_package_needs() -> None:
    copied = copied_into(DOCKERFILE)
    assert sorted(copied) == sorted(copied_into(APPTAINER))
    assert all((ROOT / name).exists() for name in copied)
    assert {"envs", "workflow", "Snakefile", "config.yaml", "pyproject.toml"} <= set(copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == set(copied)


def test_both_images_begin_with_the_same_base_and_install_the_same_pins() -> None:
    (base,) = re.findall(r"^FROM (\S+)$", DOCKERFILE, flags=re.M)
    assert re.findall(r"^From: (\S+)$", APPTAINER, flags=re.M) == [base]
    for text in (DOCKERFILE, APPTAINER):
        assert "--require-hashes --requirement envs/workflow.txt" in text
        assert "torch-gpu.txt" in text
        assert re.findall(r"[A-Za-z0-9_-]+==\S+", text) == [], "pins stand in the files of pins alone"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "command"),
    [
        (["docker", "info"], ["docker", "build", "--file", "envs/Dockerfile", "--tag", "mtpeft:test", "."]),
        (["apptainer", "--version"], ["apptainer", "build", "mtpeft.sif", "envs/apptainer.def"]),
    ],
    ids=["docker", "apptainer"],
)
def test_an_image_is_built_where_the_tool_is_there(answers: list[str], command: list[str], tmp_path: Path) -> None:
    if shutil.which(answers[0]) is None or subprocess.run(answers, capture_output=True, check=False).returncode:
        pytest.skip(f"{answers[0]} is not installed, or its daemon does not run")
    for name in {line for text in (DOCKERFILE, APPTAINER) for line in copied_into(text)} | {".dockerignore"}:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]


def test_the_manifest_of_kubernetes_mounts_what_it_names_and_calls_a_command() -> None:
    file = ROOT / "workflow/profiles/kubernetes/sweep.yaml"
    volume, job = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"].endswith(f":{VERSION}")
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert {volume["name"] for volume in pod["volumes"]} == set(mounted)
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == volume["metadata"]["name"]
    assert container["workingDir"] == mounted["results"]
    assert container["args"][2].startswith(mounted["configuration"])
    command, *options = container["args"]
    parser = argparse.ArgumentParser()
    {known.name: known for known in COMMANDS}[command].add_options(parser)
    parser.add_argument("--configfile")
    assert parser.parse_args(options).snakemake == ["--cores", "4"]


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == VERSION
    changes = (ROOT / "workflow/docs/changelog.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", changes, flags=re.M)[0] == VERSION


def test_the_catalogue_is_told_what_the_workflow_can_do() -> None:
    described = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    rules = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "workflow/rules").glob("*.smk"))
    snakefile = (ROOT / "Snakefile").read_text(encoding="utf-8")
    assert described["software-stack-deployment"] == {
        "conda": "conda:" in rules,
        "apptainer": "container:" in rules,
        "apptainer+conda": "container:" in rules and "conda:" in rules,
    }
    assert described["report"] is ("\nreport:" in snakefile)
    assert described["mandatory-flags"]["flags"] == "--cores 2"
