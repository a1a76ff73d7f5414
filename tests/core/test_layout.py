"""The parts of the project agree with each other."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from snakemake.profiles import ProfileConfigFileParser

from support.slurm import PROFILE, filled_in

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
PACKAGE = sorted((ROOT / "workflow" / "mtpeft").rglob("*.py"))


def named(files: list[Path]) -> list[object]:
    return [pytest.param(file, id=str(file.relative_to(ROOT))) for file in files]


def rules_of(file: Path) -> dict[str, str]:
    """Text of each rule by name."""
    parts = re.split(r"(?m)^(?:rule|checkpoint) (\w+):\n", file.read_text(encoding="utf-8"))[1:]
    return {name: re.split(r"(?m)^\S", body)[0] for name, body in zip(parts[::2], parts[1::2], strict=True)}


ALL_RULES = [
    pytest.param(body, id=name) for file in [*RULES, ROOT / "Snakefile"] for name, body in rules_of(file).items()
]


@pytest.mark.parametrize("file", named([file for file in RULES if file.name != "common.smk"]))
def test_a_file_of_rules_opens_with_what_it_needs_and_makes(file: Path) -> None:
    opening = re.match(r'"""(.+?)"""', file.read_text(encoding="utf-8"), flags=re.DOTALL)

    assert opening
    assert re.search(r"(?m)^Needs: \S", opening[1])
    assert re.search(r"(?m)^Makes: \S", opening[1])


@pytest.mark.parametrize("body", ALL_RULES)
def test_a_rule_says_what_it_does(body: str) -> None:
    assert re.match(r'    """\w.+\."""\n', body)


@pytest.mark.parametrize("body", [case for case in ALL_RULES if "shell:" in case.values[0]])
def test_a_rule_that_runs_something_is_logged_measured_and_has_its_environment(body: str) -> None:
    for part in ("log", "benchmark", "conda", "output"):
        assert re.search(rf"(?m)^    {part}:$", body), part
    assert "{log:q} 2>&1" in body
    assert re.search(r'^        "exec python -m mtpeft \w+ ', body, flags=re.MULTILINE)


@pytest.mark.parametrize("body", [case for case in ALL_RULES if "shell:" in case.values[0]])
def test_every_value_in_a_command_is_quoted(body: str) -> None:
    command = body[body.index("shell:") :]
    values = set(re.findall(r"\{([^{}]+)\}", command))

    # These are options made by `as_options`, which quotes each path itself.
    assert {value for value in values if not value.endswith(":q")} <= {"params.inputs"}


def local_rules() -> set[str]:
    """Rules that are made on the machine that schedules."""
    snakefile = re.sub("#.*", "", (ROOT / "Snakefile").read_text())
    return set(re.findall(r"\w+", re.search(r"(?ms)^localrules:\n(.+?)\n\n", snakefile)[1]))


def test_every_rule_that_runs_nothing_is_made_on_the_machine_that_schedules() -> None:
    assert {case.id for case in ALL_RULES if "shell:" not in case.values[0]} <= local_rules()


def test_rules_that_download_run_on_the_login_node() -> None:
    fetching = {"fetch_wheel", "fetch_dataset", "fetch_model", "install_mtdata", "install_metric", "take_in_metric"}
    assert fetching <= local_rules()


def test_the_profile_of_a_cluster_names_rules_that_are_submitted() -> None:
    profile = yaml.safe_load(PROFILE.read_text())
    named = {*profile["set-resources"], *profile["groups"]}
    used = [name for file in RULES for name in re.findall(r"(?m)^use rule \w+ as (\w+) with:", file.read_text())]

    assert named <= {case.id for case in ALL_RULES} | set(used)
    assert not named & local_rules()


@pytest.mark.parametrize(("account", "asked"), [("", []), ("lab", ["slurm_account='lab'"])])
def test_the_profile_of_a_cluster_asks_for_what_is_filled_in(tmp_path: Path, account: str, asked: list[str]) -> None:
    values = {
        "  partition: main": "  partition: all",
        'account: ""': f'account: "{account}"',
        "sharing: 1": "sharing: 3",
    }
    with (filled_in(tmp_path / "profile", values) / "profile.yaml").open(encoding="utf-8") as file:
        profile = ProfileConfigFileParser().parse(file)

    assert profile["default-resources"][:-2] == ["slurm_partition='all'", *asked]
    assert "train:slurm_partition='main'" in profile["set-resources"]
    assert profile["group-components"] == ["cells=3", "scores=3", "tokens=8"]


def test_jobs_of_one_submission_ask_for_the_same_device(tmp_path: Path) -> None:
    """Snakemake refuses a group whose members ask for different generic resources."""
    with (filled_in(tmp_path / "profile", {"    gpu: 1": '    gres: "gpu:1"'}) / "profile.yaml").open() as file:
        profile = ProfileConfigFileParser().parse(file)
    asked = dict(setting.split("=", 1) for setting in profile["set-resources"])
    members = [name.split("=") for name in profile["groups"]]
    for group in {group for _, group in members}:
        own = [rule for rule, name in members if name == group]
        assert len({asked.get(f"{rule}:gres") for rule in own}) == 1, group
        assert len({asked.get(f"{rule}:slurm_partition") for rule in own}) == 1, group
    assert asked["score:gres"] == "gpu:1"


def test_every_file_of_rules_is_included() -> None:
    included = re.findall(r'(?m)^include: "workflow/rules/(\S+)"', (ROOT / "Snakefile").read_text())

    assert sorted(included) == [file.name for file in RULES]


def test_every_caption_is_there_and_none_is_left_over() -> None:
    text = "".join(file.read_text() for file in RULES)
    captions = re.findall(r'caption="\.\./report/([\w.]+)"', text)
    workflow = re.findall(r'(?m)^report: "workflow/report/([\w.]+)"', (ROOT / "Snakefile").read_text())

    assert {*captions, *workflow} == {file.name for file in (ROOT / "workflow" / "report").glob("*.rst")}


@pytest.mark.parametrize("file", named(PACKAGE))
def test_the_package_never_imports_snakemake(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]

    assert not [name for name in imported if name.split(".")[0] == "snakemake"]
