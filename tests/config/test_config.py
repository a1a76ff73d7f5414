"""The configuration: what is shipped is right, overlays are laid as Snakemake lays them, mistakes get a sentence."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from mtpeft.config.load import DEFAULT_FILE, load, merge, read_yaml, validate
from mtpeft.core.errors import UserError
from mtpeft.front.schemas import SCHEMAS_FOLDER, TYPES, schema_text
from support.config import DEFAULT, WRONG, pretrained
from support.execution import WRONG_EXECUTIONS
from support.group import WRONG_GROUPS
from support.other_pairs import WRONG_OTHERS
from support.wrong_values import WRONG_VALUES

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "workflow" / "studies").glob("*.yaml"))
ALL_WRONG = [*WRONG, *WRONG_OTHERS, *WRONG_GROUPS, *WRONG_EXECUTIONS, *WRONG_VALUES]
HEAVY = ("torch", "transformers", "peft", "numpy", "scipy", "matplotlib", "snakemake", "sacrebleu", "polib")


@pytest.mark.parametrize("overlays", [[], *([file] for file in STUDIES)], ids=lambda files: "".join(map(str, files)))
def test_every_shipped_configuration_is_right(
    overlays: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("text.sw", "text.en", "memory.tmx"):  # the user's own
        Path(name).write_text("A line of text.\n", encoding="utf-8")
    assert load(overlays).studies


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ({"a": 1}, {"b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"d": {"e": 1}}}}),
        ({"a": [1, 2]}, {"a": [3]}),
        ({"a": [1, 2]}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": [1]}),
        ({"a": {"b": 1}}, {"a": {}}),
        ({"a": None}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": {"b": 1}}),
        ({"studies": {"one": {"seeds": [1]}, "two": {"seeds": [1]}}}, {"studies": {"two": None}}),
        ({"studies": {"one": {"seeds": [1]}}}, {"studies": None}),
    ],
)
def test_overlays_are_laid_as_snakemake_lays_them(below: dict[str, Any], above: dict[str, Any]) -> None:
    theirs = copy.deepcopy(below)
    update_config(theirs, copy.deepcopy(above))
    kept = copy.deepcopy(below)

    assert merge(below, above) == theirs
    assert below == kept


def test_a_study_left_empty_is_taken_out() -> None:
    content = merge(DEFAULT, {"studies": {"models": None}})

    assert list(validate(content).studies) == ["budgets", "languages", "data_sizes", "embeddings"]


@pytest.mark.parametrize(
    ("overlay", "gone"),
    [
        ({"studies": {"languages": None}}, {"parity", "distance"}),
        ({"models": {"large": None}, "studies": {"models": {"models": ["small"], "also": []}}}, {"larger"}),
        ({"findings": None}, {"parity", "budget", "distance", "larger", "small_data"}),
        ({"findings": {"budget": None}}, {"budget"}),
    ],
)
def test_a_finding_goes_with_what_it_names(overlay: dict[str, Any], gone: set[str]) -> None:
    shipped = validate(DEFAULT).findings

    assert set(shipped) - set(validate(merge(DEFAULT, overlay)).findings) == gone


def sentences(overlay: dict[str, Any]) -> list[str]:
    with pytest.raises(UserError) as caught:
        validate(merge(DEFAULT, overlay))
    return str(caught.value).splitlines()


@pytest.mark.parametrize("case", ALL_WRONG, ids=lambda case: case[1][:60])
def test_a_mistake_gets_a_sentence_that_names_its_key(case: tuple[Any, ...]) -> None:
    overlay, begin, *parts = case

    lines = sentences(overlay)

    assert lines[0].startswith(begin)
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize("overlay", [case[0] for case in ALL_WRONG], ids=lambda overlay: str(overlay)[:60])
def test_sentences_are_whole_plain_and_said_once(overlay: dict[str, Any]) -> None:
    lines = sentences(overlay)

    assert len(set(lines)) == len(lines)
    for line in lines:
        assert line.startswith("'") and line.endswith((".", "?"))
        assert not any(jargon in line for jargon in ("None", "Input", "instance", "dictionary", "validat", "pydantic"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (None, "'models.new.path' is '{folder}', but that folder has no config.json; is it a Hugging Face model?"),
        ('{"model_type":', "{folder}/config.json, line 1 is not valid JSON"),
        ("[]", "{folder}/config.json must hold one JSON object"),
        (
            '{"model_type": "bert"}',
            "'models.new.path' is '{folder}', whose config.json says model_type 'bert', which is not",
        ),
        ('{"model_type": "mbart"}', "'models.new.path' is '{folder}', whose config.json has no key 'd_model'"),
    ],
)
def test_a_folder_that_is_no_supported_model_is_named(config: str | None, said: str, tmp_path: Path) -> None:
    if config:
        (tmp_path / "config.json").write_text(config)

    lines = sentences({"models": {"new": {"path": str(tmp_path)}}})

    assert len(lines) == 1
    assert lines[0].startswith(said.replace("{folder}", str(tmp_path)))


@pytest.mark.parametrize("part", ["files", "dev_files", "test_files"])
def test_text_of_a_language_that_the_pair_lacks_is_named(part: str, tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other"
    for file in (text, other):
        file.write_text("Habari\tHello\n")
    files = {"files": {"sw": str(other), "en": str(text)}} | {part: {"sw": str(text), "en": f"{text}.gone"}}

    assert sentences({"corpora": {"own": files}}) == [
        f"'corpora.own.{part}.en' is '{text}.gone', but there is no such file; "
        "write its path from the working directory."
    ]
    own = {"own": {"files": {"sw": str(other), "en": str(text)}}}
    assert sentences({"corpora": own, "pairs": {"sw-fr": {"corpus": "own"}}}) == [
        "'pairs.sw-fr.target' is 'fr', but the files of its corpus have the languages 'sw', 'en'; "
        "write one of these, or add the file."
    ]


@pytest.mark.parametrize("part", ["dev_files", "test_files"])
@pytest.mark.parametrize("train", [{"sw": "a", "en": "b", "fr": "c"}, {"tmx": "a"}], ids=["sides", "tmx"])
def test_dev_and_test_text_without_a_language_of_the_pair_is_named(
    train: dict[str, str], part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        (tmp_path / name).touch()
    own = {"files": train, part: {"jsonl": "a", "columns": {"en": "en", "fr": "fr"}}, "written_in": "en"}

    assert sentences({"corpora": {"own": own}, "pairs": {"sw-en": {"corpus": "own"}, "fr-en": {"corpus": "own"}}}) == [
        f"'pairs.sw-en.source' is 'sw', but 'corpora.own.{part}' has the languages 'en', 'fr'; add the language there."
    ]


def test_a_corpus_with_wheels_and_files_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("Habari\tHello\n")
    both = {"tsv": str(text), "columns": {"es": 0, "en": 1}}

    assert sentences({"corpora": {"interface": {"files": both}}})[0] == (
        "'corpora.interface' must have one of 'files', 'mtdata' and 'wheels', and no other."
    )


def test_a_language_that_the_vocabulary_is_made_for_needs_no_code_of_mbart() -> None:
    known = pretrained(vocabulary_pairs=["eu-en"])
    study = {"pairs": {"eu-en": {"corpus": "interface"}}, "studies": {"budgets": {"pairs": ["eu-en"]}}}

    assert validate(merge(DEFAULT, {**known, **study})).studies["budgets"].pairs == ["eu-en"]


def test_all_mistakes_of_a_kind_are_told_at_once() -> None:
    overlay = {"margin": 0, "studdies": {}, "budgets": {"b1": 2}}

    assert len(sentences(overlay)) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("margin: 0\n", "'margin' is 0; write a number above 0."),
        (
            "pairs: {es-en: {corpus: a}}\nmargin: 1\npairs: {}\n",
            "wrong.yaml, line 3: 'pairs' stands twice; join the tw",
        ),
        ("margin: [1\n", "wrong.yaml, line 2 is not valid YAML"),
        ("- margin\n", "wrong.yaml must hold keys and values at its top level"),
        ("", "wrong.yaml must hold keys and values at its top level"),
    ],
)
def test_the_command_line_ends_with_the_sentence_alone(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(text)
    command = [sys.executable, "-m", "mtpeft", "plan", "--configfile", "wrong.yaml"]

    ended = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT / "workflow")}, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"mtpeft: {said}")
    assert len(ended.stderr.splitlines()) == 1


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UserError, match=r"^The configuration file no/such\.yaml can't be read: No such file"):
        load([Path("no/such.yaml")])


def test_a_key_may_stand_once_in_each_mapping_that_an_anchor_joins(tmp_path: Path) -> None:
    file = tmp_path / "anchors.yaml"
    file.write_text("a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: *b, y: 4}\n")

    assert read_yaml(file)["c"] == {"x": 3, "y": 4}


def test_exponents_without_a_dot_are_numbers() -> None:
    overlay = yaml.safe_load("methods: {lora: {learning_rate: 1e-3}}")

    assert overlay["methods"]["lora"]["learning_rate"] == "1e-3"
    assert validate(merge(DEFAULT, overlay)).methods["lora"].learning_rate == 0.001


@pytest.mark.parametrize("name", TYPES)
def test_schemas_are_those_of_the_code(name: str) -> None:
    written = (SCHEMAS_FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")

    assert written == schema_text(TYPES[name]), "run `python -m mtpeft schemas`"


def test_what_the_snakefile_imports_and_asks_for_loads_nothing_heavy() -> None:
    common = (ROOT / "workflow" / "rules" / "common.smk").read_text()
    imports = [line for line in common.splitlines() if line.startswith("from mtpeft")]
    program = [
        *imports,
        "from mtpeft.steps.cells_of_studies import placed_cells",
        "import sys, yaml",
        f"CONFIGURATION = validate(yaml.safe_load(open({str(DEFAULT_FILE)!r})))",
        "cells = placed_cells(CONFIGURATION)",
        "[STEPS['train'].params_of(CONFIGURATION, cell.named) for cell in cells]",
        "paths.constraints(CONFIGURATION), STEPS['summarise'].params_of(CONFIGURATION, {'study': 'efficiency'})",
        "STEPS['test_claims'].params_of(CONFIGURATION, {}), STEPS['test_claims'].inputs_of(CONFIGURATION, {})",
        "STEPS['collect_rates'].inputs_of(CONFIGURATION, {})",
        "[STEPS['train'].inputs_of(CONFIGURATION, cell.named) for cell in cells]",
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])",
    ]

    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(program)],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert len(imports) >= 5
    assert ended.stdout.strip() == ""
