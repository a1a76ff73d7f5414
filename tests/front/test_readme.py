"""The README and the pages of `workflow/docs/` are true: commands, options, snippets, paths and links."""

import copy as copies
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtpeft.config.contrasts import finding_params
from mtpeft.config.load import DEFAULT_FILE, load, merge, validate
from mtpeft.config.methods import method_targets
from mtpeft.config.model_shapes import model_shape
from mtpeft.config.studies import all_cells, represented_cells, study_others
from mtpeft.config.yaml_file import read_yaml
from mtpeft.front.docs import CAVEATS, PART, PARTS, anchor, generated
from mtpeft.methods import METHODS
from mtpeft.methods.budget import reach
from support.pages import ALL_TEXT, PAGES, README, ROOT, SNIPPETS
from support.sweep import STUDY, copy, located, mtpeft, snakemake

BASH = "\n".join(re.findall(r"```bash\n(.*?)```", ALL_TEXT, flags=re.DOTALL))
CODE = [BASH, *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", ALL_TEXT)]
MOST_WORDS = 1000


def named(pages: dict[Path, str]) -> list[object]:
    return [pytest.param(page, text, id=page.name) for page, text in pages.items()]


DOCS = {page: text for page, text in PAGES.items() if page.name != "README.md"}


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_the_readme_or_a_page_that_it_names_leads_to_every_page() -> None:
    named_there = set(re.findall(r"\]\(workflow/docs/([\w-]+\.md)\)", README))
    texts = [text for page, text in DOCS.items() if page.name in named_there]
    named_further = {link for text in texts for link in re.findall(r"\]\(([\w-]+\.md)[)#]", text)}
    assert named_there <= {page.name for page in DOCS} == named_there | named_further


@pytest.mark.parametrize(("page", "text"), named(DOCS))
def test_a_page_opens_with_what_it_is_for(page: Path, text: str) -> None:
    assert re.match(r"# [^\n]+\n\nThis page [^\n]+\.\n", text)


@pytest.mark.parametrize(("page", "text"), named(DOCS))
def test_contents_name_every_section(page: Path, text: str) -> None:
    own = PART.sub("", text)
    contents = re.findall(r"(?m)^- \[.+\]\(#([\w-]+)\)", own)
    sections = [anchor(heading) for heading in re.findall(r"(?m)^## (.+)$", own)]
    assert contents == sections or len(sections) < 2


def test_the_map_of_the_code_names_what_is_there() -> None:
    text = (ROOT / "workflow/docs/extending.md").read_text(encoding="utf-8")
    rows = re.search(r"(?ms)^## Find your way in the code$(.+?)^## ", text)[1]
    named_paths = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", rows)) - {"workflow/mtpeft/"}
    package = ROOT / "workflow/mtpeft"
    assert [path for path in named_paths if not (package / path).exists()] == []
    folders = {f"{file.parent.name}/" for file in package.glob("*/__init__.py")}
    assert folders <= named_paths


@pytest.mark.parametrize(("page", "text"), named(PAGES))
def test_a_line_of_prose_is_one_sentence(page: Path, text: str) -> None:
    prose = re.sub(r"(?ms)^```.*?^```", "", PART.sub("", text))
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "#", "<!--"))]
    sentences = [re.sub(r"^(\d\.|- \*\*[^*]+\*\*[.?!]?) ", "", line) for line in lines]
    assert [line for line in sentences if re.search(r"[\w)`*\]%][.?!]\**\s+[A-Z`*\[]", line)] == []


@pytest.mark.parametrize(("page", "text"), named(PAGES))
def test_generated_parts_are_those_of_the_registries(page: Path, text: str) -> None:
    assert text == generated(text), "run `python -m mtpeft docs`"


def test_every_generated_part_stands_once_and_caveats_are_of_methods() -> None:
    assert sorted(name for _, name, _ in PART.findall(ALL_TEXT)) == sorted(PARTS)
    assert set(CAVEATS) <= set(METHODS)


@pytest.mark.parametrize(("page", "text"), named(PAGES))
def test_every_link_leads_somewhere(page: Path, text: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        path, _, section = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file() and target.is_relative_to(ROOT), link
        if section:
            headings = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
            assert section in map(anchor, headings), link


@pytest.mark.parametrize("code", [code for code in CODE if re.search(r"(^|[ /])(workflow|tests|envs)/", code)])
def test_every_path_in_code_exists(code: str) -> None:
    paths = re.findall(r"(?:^|(?<=[\s=\[]))(?:workflow|tests|envs)/[\w./-]*", code)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_variable_exists() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "workflow" / "mtpeft").rglob("*.py"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    own = set(re.findall(r"MTPEFT_[A-Z]+", ALL_TEXT))
    of_make = set(re.findall(r"make [\w-]+ ([A-Z]+)=", ALL_TEXT)) | set(re.findall(r"`([A-Z]+)=", ALL_TEXT))
    assert {"MTPEFT_WHEELS", "MTPEFT_DEVICES"} <= own and {"CONFIG", "CORES", "PROFILE"} <= of_make
    assert [name for name in own if name not in source] == []
    assert [name for name in of_make if not re.search(rf"(?m)^{name} \?=", makefile)] == []


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"(?m)^make (\w[\w-]*)", BASH)) | set(re.findall(r"`make (\w[\w-]*)", ALL_TEXT))
    assert {"figures", "test", "quick", "status", "preview", "plan", "report"} <= named
    assert named <= targets


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m mtpeft (\w+)", ALL_TEXT))))
def test_every_command_exists_with_its_options(command: str, tmp_path: Path) -> None:
    done = mtpeft(tmp_path, command, "--help")
    assert done.returncode == 0
    assert "usage" in done.stdout
    for code in CODE:
        for line in re.findall(rf"mtpeft {command}\b([^\n#|]*)", code):
            options = re.findall(r"--[a-z][\w-]*", line.split(" -- ")[0])
            assert [option for option in options if option not in done.stdout] == [], line


def test_every_option_of_the_commands_exists(tmp_path: Path) -> None:
    done = mtpeft(tmp_path, *["budget", "--model", "shallow"])
    assert done.returncode == 0 and "reachable" in done.stdout
    assert "budget --model shallow" in BASH


def test_every_path_of_the_layout_exists() -> None:
    layout = README.split("## Layout")[1].split("```")[1]
    paths = re.findall(r"^(\S+)", layout, flags=re.MULTILINE)
    assert len(paths) >= 8
    assert [path for path in paths if not (ROOT / path).exists()] == []
    images = [(page, link) for page, text in PAGES.items() for link in re.findall(r"!\[.*?\]\((.*?)\)", text)]
    assert images
    for page, link in images:
        assert (page.parent / link).is_file()


DEFAULT = read_yaml(DEFAULT_FILE)
BESIDE: dict[str, Any] = {
    "models": {"nllb": {"hub": f"owner/name@{'0' * 40}"}},
    "pairs": {"kl-en": {"corpus": "interface"}},
}
"""Entries of the configuration that snippets assume."""


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: "-".join(snippet))
def test_every_snippet_is_a_valid_overlay(
    snippet: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    for folder in ("a", "another"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "folder").symlink_to(ROOT / "workflow" / "models" / "small")
    for code in ("sw", "en"):
        (tmp_path / f"text.{code}").write_text("one\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert validate(merge(DEFAULT, merge(BESIDE, snippet)))


def test_the_pair_snippet_is_a_valid_overlay(tmp_path: Path) -> None:
    snippet = next(snippet for snippet in SNIPPETS if "nl-en" in snippet.get("pairs", {}))
    (tmp_path / "pair.yaml").write_text(yaml.safe_dump(snippet), encoding="utf-8")
    assert mtpeft(tmp_path, "plan", "--configfile", "pair.yaml").returncode == 0
    before, after = ({*all_cells(load(overlays))} for overlays in ([], [tmp_path / "pair.yaml"]))
    assert before < after
    assert {cell.pair for cell in after - before} == {"nl-en"}


@pytest.mark.parametrize("corpus", ["mine", "talks"])
def test_the_snippets_for_other_text_use_no_other_pairs(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippet = next(snippet for snippet in SNIPPETS if corpus in snippet.get("corpora", {}))
    for code in ("sw", "en"):
        (tmp_path / f"text.{code}").write_text("one\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    configuration = validate(merge(DEFAULT, merge(BESIDE, snippet)))
    assert {cell.pair for cell in all_cells(configuration)} == {*snippet["pairs"]}


def test_the_snippet_for_own_text_prepares_it(finished: Path, tmp_path: Path) -> None:
    """On Swahili that stands in one of the wheels, as two line-aligned files."""
    snippet = copies.deepcopy(next(snippet for snippet in SNIPPETS if "mine" in snippet.get("corpora", {})))
    with zipfile.ZipFile(located(finished, "data/wheels/interface/django.zip")) as archive:
        sides = {
            code: {row["key"]: row["text"] for row in map(json.loads, archive.read(f"{code}.jsonl").splitlines())}
            for code in ("sw", "en")
        }
    keys = sorted(set(sides["sw"]) & set(sides["en"]))
    for code, messages in sides.items():
        lines = [" ".join(messages[key].split()) for key in keys]
        (tmp_path / f"text.{code}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    snippet["corpora"]["mine"]["split"] = {"dev": 10, "test": 20}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(snippet), encoding="utf-8")
    target = "data/pairs/sw-en/parts.json"
    done = mtpeft(tmp_path, "sweep", "--configfile", str(STUDY), "mine.yaml", "--target", target)
    assert done.returncode == 0, done.stderr
    assert json.loads(located(tmp_path, target).read_text(encoding="utf-8"))["rows"]["test"] == 20


def test_the_snippet_for_a_new_language_is_a_valid_overlay() -> None:
    snippet = next(snippet for snippet in SNIPPETS if "wide" in snippet.get("models", {}))
    beside = {"models": {"nllb": {"hub": f"owner/name@{'0' * 40}"}}, "pairs": {"kl-en": {"corpus": "interface"}}}
    study = {"studies": {"budgets": {"models": ["wide"], "pairs": ["kl-en"]}}}
    assert validate(merge(DEFAULT, merge(beside, merge(snippet, study)))).models["wide"].extend.model == "nllb"


def test_the_snippet_for_own_models_is_a_valid_overlay(sweep: Path, tmp_path: Path) -> None:
    snippet = copies.deepcopy(next(snippet for snippet in SNIPPETS if "mine" in snippet.get("models", {})))
    snippet["models"]["mine"]["path"] = str(sweep / "results/models/tiny/checkpoint")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(snippet), encoding="utf-8")
    done = mtpeft(tmp_path, "plan", "--configfile", "mine.yaml")
    assert done.returncode == 0, done.stderr
    assert re.search(r"fetch_model +1 ", done.stdout)


def test_the_snippet_for_other_pairs_is_a_valid_overlay() -> None:
    snippet = next(snippet for snippet in SNIPPETS if snippet.get("studies", {}).get("forgetting"))
    configuration = validate(merge(DEFAULT, snippet))
    assert {pair for _, pair in study_others(configuration, "forgetting")} == {"es-en", "pt-en"}


def test_the_snippet_for_representations_is_a_valid_overlay() -> None:
    snippet = next(snippet for snippet in SNIPPETS if "representations" in snippet.get("studies", {}))
    assert len(represented_cells(validate(merge(DEFAULT, snippet)), "representations")) == 1 + 4 * 3


def test_the_snippet_for_prompts_compares_them_on_each_model_and_across() -> None:
    snippet = next(snippet for snippet in SNIPPETS if "prompts_or_size" in snippet.get("findings", {}))
    configuration = validate(merge(DEFAULT, snippet))
    compared = {}
    for finding in snippet["findings"]:
        (member,) = finding_params(configuration, finding)["members"]
        ((tuned, *_),), (whole, *_) = member["peft"], member["full"]
        compared[finding] = tuned + whole
    assert compared == {
        "prompts_small": ["shallow", "shallow"],
        "prompts_large": ["student", "student"],
        "prompts_or_size": ["student", "shallow"],
    }
    share = next(iter(snippet["budgets"].values()))
    assert f"{int(share * model_shape(configuration, 'student').total) // 256} vectors" in ALL_TEXT


OF_METHODS = [snippet for snippet in SNIPPETS if "methods" in snippet]


@pytest.mark.parametrize("snippet", OF_METHODS, ids=lambda snippet: "-".join(snippet["methods"]))
def test_the_snippets_of_methods_are_valid_overlays(snippet: dict[str, Any]) -> None:
    """All of their methods can stand in a study, so that what they can train is looked at as well."""
    shares = (0.002, 0.01, 0.02, 0.1)
    configuration = validate(merge(DEFAULT, {**snippet, "findings": dict.fromkeys(DEFAULT["findings"])}))
    shape = model_shape(configuration, "shallow")
    for method in snippet["methods"]:
        sites = method_targets(configuration, method, shape)
        low, high = reach(sites)
        assert low == high or any(low <= int(share * shape.total) <= high for share in shares), method


def test_the_snippet_for_comet_is_a_valid_overlay() -> None:
    (snippet,) = [snippet for snippet in SNIPPETS if "comet" in snippet]
    assert validate(merge(DEFAULT, snippet)).comet.encoder.hub


def in_small_study(command: str) -> list[str]:
    """Return the words of a command on a page, with the labels of a cell of the small study."""
    labels = {"student": "small", "n1600": "n200", "b10": "b5"}
    return re.sub("|".join(labels), lambda found: labels[found[0]], command).split()


EXPORTS = re.findall(r"python -m mtpeft (export .*?)(?: *#.*)?$", BASH, flags=re.MULTILINE)
OWN_TEXT = "memory"
"""Stands in the commands of the page that another test follows from its beginning."""


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in EXPORTS if OWN_TEXT not in command], ids=lambda x: x[-12:])
def test_the_commands_for_handing_over_write_a_model(finished: Path, tmp_path: Path, command: str) -> None:
    words = in_small_study(command)
    to = words.index("--to") + 1
    words[to] = str(tmp_path / words[to])
    done = mtpeft(finished, *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / words[to]).is_dir()


def test_the_command_for_one_cell_is_planned(finished: Path, tmp_path: Path) -> None:
    (command,) = re.findall(r"python -m mtpeft (sweep --target .*? --printshellcmds)", BASH)
    words = in_small_study(command)
    folder = copy(finished, tmp_path / "run")
    done = mtpeft(folder, words[0], "--configfile", STUDY.name, *words[1:], "--dry-run", "--forcerun", "score")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exec python -m mtpeft score --cell small/es-en/n200/lora/b5/1" in done.stdout + done.stderr


def test_the_command_for_a_cluster_has_nothing_to_add_to_a_finished_run(finished: Path) -> None:
    (profile,) = re.findall(r"snakemake --workflow-profile (\S+/slurm)", BASH)
    done = snakemake(finished, "--dry-run", "--workflow-profile", str(ROOT / profile))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr
