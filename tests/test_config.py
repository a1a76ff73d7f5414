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
from mtpeft.errors import UserError
from mtpeft.front.schemas import SCHEMAS_FOLDER, TYPES, schema_text

ROOT = Path(__file__).parents[1]
STUDIES = sorted((ROOT / "workflow" / "studies").glob("*.yaml"))
HEAVY = ("torch", "transformers", "peft", "numpy", "scipy", "matplotlib", "snakemake", "sacrebleu", "polib")

STUDY = {"models": ["small"], "pairs": ["es-en"], "sizes": ["n250"], "methods": ["full"], "seeds": [1]}

WRONG = [
    # a misspelt key, at every level
    ({"study": {}}, "'study' is not a key of the configuration; did you mean 'studies'?"),
    ({"corpora": {"interface": {"cleann": {}}}}, "'corpora.interface.cleann' is not a key", "'clean'?"),
    ({"corpora": {"interface": {"clean": {"max_word": 3}}}}, "'corpora.interface.clean.max_word' is", "'max_words'?"),
    (
        {"corpora": {"interface": {"wheels": {"django": {"versoin": "1"}}}}},
        "'corpora.interface.wheels.django.versoin' is not a key",
        "'version'?",
    ),
    ({"corpora": {"interface": {"split": {"tunning": 3}}}}, "'corpora.interface.split.tunning' is not", "'tuning'?"),
    ({"pairs": {"es-en": {"corpsu": "interface"}}}, "'pairs.es-en.corpsu' is not a key", "'corpus'?"),
    ({"sizes": {"n250": {"update": 1}}}, "'sizes.n250.update' is not a key", "'updates'?"),
    ({"models": {"small": {"pretrian": {}}}}, "'models.small.pretrian' is not a key", "'pretrain'?"),
    ({"models": {"small": {"pretrain": {"layer": 3}}}}, "'models.small.pretrain.layer' is not a key", "'layers'?"),
    ({"methods": {"lora": {"learningrate": 1}}}, "'methods.lora.learningrate' is not a key", "'learning_rate'?"),
    (
        {"methods": {"lora": {"rank": 8}}},
        "'methods.lora.rank' is not a key of the configuration; known keys here are "
        "'learning_rate', 'scaling', 'tuner'.",
    ),
    ({"studies": {"budgets": {"bugdets": ["b1"]}}}, "'studies.budgets.bugdets' is not a key", "'budgets'?"),
    ({"training": {"label_smoothign": 0.1}}, "'training.label_smoothign' is not a key", "'label_smoothing'?"),
    ({"decoding": {"beamsize": 2}}, "'decoding.beamsize' is not a key", "'beam_size'?"),
    (
        {"corpora": {"own": {"files": {"tsv": "text.tsv", "colums": {"sw": 0, "en": 1}}}}},
        "'corpora.own.files.colums' is not a key",
        "'columns'?",
    ),
    # what is missing
    ({"methods": {"new": {"tuner": "lora"}}}, "'methods.new.learning_rate' is missing; write it"),
    ({"methods": {"new": {"learning_rate": 1}}}, "'methods.new.tuner' is missing; write which method", "'adapter', 'f"),
    ({"methods": {"new": {"tuner": "loar"}}}, "'methods.new.tuner' is 'loar', which is no method; did you mean 'lora'"),
    ({"sizes": {"n300": {"pairs": 300}}}, "'sizes.n300.updates' is missing; write it"),
    ({"studies": None}, "'studies' is missing"),
    # a value of the wrong kind
    ({"methods": {"lora": {"learning_rate": "fast"}}}, "'methods.lora.learning_rate' is 'fast'; write a number."),
    ({"methods": {"lora": {"learning_rate": -1}}}, "'methods.lora.learning_rate' is -1; write a number above 0."),
    (
        {"methods": {"lora": {"learning_rate": {"n250": "fast", "default": 1}}}},
        "'methods.lora.learning_rate.n250' is 'fast'; write a number.",
    ),
    ({"methods": {"adapter": {"activation": "rel"}}}, "'methods.adapter.activation' is 'rel'; write 'relu', 'gelu' or"),
    ({"methods": {"new": 3}}, "'methods.new' is 3; write keys and values."),
    ({"sizes": {"n250": {"updates": -5}}}, "'sizes.n250.updates' is -5; write a number above 0."),
    ({"sizes": {"n250": {"updates": "many"}}}, "'sizes.n250.updates' is 'many'; write a whole number."),
    ({"sizes": {"n250": {"updates": 2.5}}}, "'sizes.n250.updates' is 2.5; write a whole number."),
    ({"budgets": {"b1": 1.5}}, "'budgets.b1' is 1.5; write a number below 1."),
    ({"budgets": {"b1": 0}}, "'budgets.b1' is 0; write a number above 0."),
    ({"budgets": {"b1": "1%"}}, "'budgets.b1' is '1%'; write a number."),
    ({"margin": float("inf")}, "'margin' is inf; write a finite number."),
    ({"studies": {"budgets": {"seeds": ["one"]}}}, "'studies.budgets.seeds.0' is 'one'; write a whole number."),
    ({"studies": {"budgets": {"pairs": "es-en"}}}, "'studies.budgets.pairs' is 'es-en'; write a list"),
    ({"studies": {"budgets": {"methods": []}}}, "'studies.budgets.methods' has too few entries (0); write at least 1."),
    ({"studies": {"mine": ["small"]}}, "'studies.mine' is a list; write keys and values."),
    ({"models": {"small": {"pretrain": {"pairs": []}}}}, "'models.small.pretrain.pairs' has too few entries (0)"),
    (
        {"corpora": {"interface": {"wheels": {"django": {"sha256": "abc"}}}}},
        "'corpora.interface.wheels.django.sha256' is 'abc'; write the 64 hexadecimal digits",
    ),
    (
        {"corpora": {"interface": {"wheels": {"django": {"members": "a/*.po"}}}}},
        "'corpora.interface.wheels.django.members' is 'a/*.po'; write a path with {language} in it",
    ),
    (
        {"corpora": {"interface": {"wheels": {"django": {"version": 5.2}}}}},
        "'corpora.interface.wheels.django.version' is 5.2; write it in quotes",
    ),
    ({"corpora": {"interface": {"split": {"words": [5]}}}}, "'corpora.interface.split.words' has too few entries (1)"),
    ({"corpora": {"interface": {"split": {"words": [20, 3]}}}}, "'corpora.interface.split.words' is [20, 3]; write th"),
    ({"pairs": {"es-en": {"source": "Spanish text"}}}, "'pairs.es-en.source' is 'Spanish text'; write a language code"),
    # Norwegian, as YAML reads it
    ({"corpora": {"own": {"files": {False: "a", "en": "b"}}}}, "'corpora.own.files' has a key that YAML reads as fals"),
    (
        {"corpora": {"interface": {"split": {"present_in": [False]}}}},
        "'corpora.interface.split.present_in.0' is false; write it in quotes",
    ),
    ({"corpora": {"own": {"files": {"e n": "a", "sw": "b"}}}}, "'corpora.own.files' has the key 'e n'; write a langua"),
    ({"budgets": {1: 0.1}}, "'budgets' has a key that YAML reads as 1; put the key in quotes."),
    # labels
    ({"budgets": {"a/b": 0.1}}, "'budgets' has the label 'a/b', which is unsafe in a path; use letters"),
    ({"sizes": {"n 9": {"pairs": 9, "updates": 9}}}, "'sizes' has the label 'n 9', which is unsafe in a path"),
    ({"studies": {"..": {"figure": "models", **STUDY}}}, "'studies' has the label '..', which is unsafe in a path"),
    ({"budgets": {"any": 0.1}}, "'budgets' has the label 'any', which has a meaning of its own; choose another one."),
    ({"studies": {"efficiency": {"figure": "models", **STUDY}}}, "'studies' has the label 'efficiency', which has"),
    # labels that no catalogue has
    (
        {"studies": {"budgets": {"models": ["smal"]}}},
        "'studies.budgets.models' names 'smal', which is not in 'models'; ",
    ),
    ({"studies": {"budgets": {"pairs": ["es-em"]}}}, "'studies.budgets.pairs' names 'es-em'", "did you mean 'es-en'?"),
    ({"studies": {"budgets": {"pairs": ["xx-yy"]}}}, "'studies.budgets.pairs' names 'xx-yy'", "there are 'es-en', 'de"),
    ({"studies": {"budgets": {"sizes": ["n400"]}}}, "'studies.budgets.sizes' names 'n400'", "did you mean 'n4000'?"),
    ({"studies": {"budgets": {"methods": ["adaptor"]}}}, "'studies.budgets.methods' names 'adaptor'", "'adapter'?"),
    ({"studies": {"budgets": {"budgets": ["b50"]}}}, "'studies.budgets.budgets' names 'b50', which is not in 'budgets"),
    (
        {"pairs": {"es-en": {"corpus": "interfce"}}},
        "'pairs.es-en.corpus' names 'interfce'",
        "did you mean 'interface'?",
    ),
    ({"models": {"small": {"pretrain": {"pairs": ["es-em"]}}}}, "'models.small.pretrain.pairs' names 'es-em'", "es-en"),
    (
        {"methods": {"lora": {"learning_rate": {"n401": 0.1, "default": 1}}}},
        "'methods.lora.learning_rate' names 'n401', which is not in 'sizes'",
    ),
    # parts that do not fit together
    ({"pairs": {"spanish": {"corpus": "interface"}}}, "'pairs.spanish' does not say its languages; write 'source' and"),
    ({"pairs": {"en-en": {"corpus": "interface"}}}, "'pairs.en-en' translates 'en' into itself; write two different"),
    ({"corpora": {"own": {}}}, "'corpora.own' must have either 'wheels' or 'files', and not both."),
    ({"corpora": {"own": {"files": {"tsv": "a.tsv"}}}}, "'corpora.own.files.columns' must name the column of two"),
    ({"corpora": {"own": {"files": {"sw": "a.txt"}}}}, "'corpora.own.files' must name the file of two languages"),
    ({"corpora": {"own": {"files": {"sw": "no/a", "en": "no/b"}}}}, "'corpora.own.files.sw' is 'no/a', but there is"),
    (
        {"corpora": {"own": {"files": {"tsv": "a", "columns": {"sw": 0, "en": 1}, "sw": "b"}}}},
        "'corpora.own.files' must have either 'tsv' or one file per language, and not both; take out 'sw'.",
    ),
    ({"corpora": {"interface": {"written_in": None}}}, "'corpora.interface.written_in' is missing; write the language"),
    (
        {"corpora": {"interface": {"split": {"present_in": ["es", "fr"]}}}},
        "'corpora.interface.split.present_in' names 'fr', but no entry of 'pairs' has it; "
        "add 'fr-en: {corpus: interface}' to 'pairs', or take it out.",
    ),
    (
        {"corpora": {"interface": {"split": {"tuning": None}}}},
        "'models.small.pretrain.pairs' names 'es-en', but all text of its corpus is for fine-tuning",
        "'corpora.interface.split.tuning'",
    ),
    ({"models": {"new": {"threads": 1}}}, "'models.new' must have either 'pretrain' or 'path', and not both."),
    ({"models": {"small": {"path": "."}}}, "'models.small' must have either 'pretrain' or 'path', and not both."),
    (
        {"models": {"new": {"path": "no/folder"}}},
        "'models.new.path' is 'no/folder', but there is no such folder; write",
    ),
    (
        {"models": {"small": {"pretrain": {"d_model": 98}}}},
        "'models.small.pretrain.d_model' is 98, which 4 heads do not divide; write a multiple of 'heads'.",
    ),
    (
        {"methods": {"lora": {"learning_rate": {"n250": 0.1, "n1000": 0.1}}}},
        "'methods.lora.learning_rate' has no rate for size 'n4000' of 'studies.budgets'; add it or 'default'.",
    ),
    # studies
    ({"studies": {"mine": STUDY}}, "'studies.mine.figure' is missing; write which figure is drawn: 'budgets', "),
    ({"studies": {"budgets": {"figure": "budget"}}}, "'studies.budgets.figure' is 'budget'; write 'budgets', 'langua"),
    ({"studies": {"budgets": {"budgets": None}}}, "'studies.budgets' has no cells for 'adapter', 'lora', which need a"),
    ({"studies": dict.fromkeys(("budgets", "languages", "models", "data_sizes"))}, "'studies' has no study; write one"),
    (
        {"budgets": {"b20": 0.0001}},
        "'studies.budgets.budgets' asks for 'b20' (0.010% of 'small'), which method 'adapter' can't meet: it reaches "
        "0.206% to 63.388%; change 'budgets.b20' or take one of the two out.",
    ),
    ({"budgets": {"b20": 0.99}}, "'studies.budgets.budgets' asks for 'b20' (99.000% of 'small')", "it reaches"),
]


@pytest.mark.parametrize("overlays", [[], *([file] for file in STUDIES)], ids=lambda files: "".join(map(str, files)))
def test_every_shipped_configuration_is_right(overlays: list[Path]) -> None:
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
    content = merge(read_yaml(DEFAULT_FILE), {"studies": {"models": None}})

    assert list(validate(content).studies) == ["budgets", "languages", "data_sizes"]


def sentences(overlay: dict[str, Any]) -> list[str]:
    with pytest.raises(UserError) as caught:
        validate(merge(read_yaml(DEFAULT_FILE), overlay))
    return str(caught.value).splitlines()


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case[1][:60])
def test_a_mistake_gets_a_sentence_that_names_its_key(case: tuple[Any, ...]) -> None:
    overlay, begin, *parts = case

    lines = sentences(overlay)

    assert lines[0].startswith(begin)
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize("overlay", [case[0] for case in WRONG], ids=lambda overlay: str(overlay)[:60])
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
            '{"model_type": "t5"}',
            "'models.new.path' is '{folder}', whose config.json says model_type 't5', which is not",
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
    text = tmp_path / "text"
    text.write_text("Habari\tHello\n")
    files = {"files": {"sw": str(text), "en": str(text)}} | {part: {"sw": str(text), "en": f"{text}.gone"}}

    assert sentences({"corpora": {"own": files}}) == [
        f"'corpora.own.{part}.en' is '{text}.gone', but there is no such file; "
        "write its path from the working directory."
    ]
    own = {"own": {"files": {"sw": str(text), "en": str(text)}}}
    assert sentences({"corpora": own, "pairs": {"sw-fr": {"corpus": "own"}}}) == [
        "'pairs.sw-fr.target' is 'fr', but the files of its corpus have the languages 'sw', 'en'; "
        "write one of these, or add the file."
    ]


def test_a_corpus_with_wheels_and_files_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("Habari\tHello\n")
    both = {"tsv": str(text), "columns": {"es": 0, "en": 1}}

    assert sentences({"corpora": {"interface": {"files": both}}})[0] == (
        "'corpora.interface' must have either 'wheels' or 'files', and not both."
    )


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
    assert validate(merge(read_yaml(DEFAULT_FILE), overlay)).methods["lora"].learning_rate == 0.001


@pytest.mark.parametrize("name", TYPES)
def test_schemas_are_those_of_the_code(name: str) -> None:
    written = (SCHEMAS_FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")

    assert written == schema_text(TYPES[name]), "run `python -m mtpeft schemas`"


def test_what_the_snakefile_imports_and_asks_for_loads_nothing_heavy() -> None:
    common = (ROOT / "workflow" / "rules" / "common.smk").read_text()
    imports = [line for line in common.splitlines() if line.startswith("from mtpeft")]
    program = [
        *imports,
        "import sys, yaml",
        f"CONFIGURATION = validate(yaml.safe_load(open({str(DEFAULT_FILE)!r})))",
        "cells = all_cells(CONFIGURATION)",
        "[settings.train_settings(CONFIGURATION, cell) for cell in cells]",
        "paths.constraints(CONFIGURATION), settings.collect_settings(CONFIGURATION, cells)",
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
