"""What a cell reads besides its own training text is clear of test sentences, too: parents, examples, teachers."""

from pathlib import Path
from typing import Any

import pytest

from mtpeft.config.corpora import used_corpora
from mtpeft.config.held_out import held_out_params
from mtpeft.config.load import merge, validate
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells
from mtpeft.core.errors import UserError
from mtpeft.core.files import read_lines, read_record, write_record
from mtpeft.data.similarity import max_dice, normalised
from mtpeft.data.tsv import SentencePair, read_pairs
from mtpeft.decoding.examples import ExampleText
from mtpeft.decoding.in_context import chooser
from mtpeft.models.config_json import DATA_RECORD
from mtpeft.steps import choose_subset, clean_pair, decode, decontaminate_pair, prepare_test_set, split_corpus
from support.config import DEFAULT, PRETRAINED, SMALL, STUDY
from support.corpus import SENTENCES

DOMAIN = [(es, en) for en, es, _ in SENTENCES]
RARE = [
    "sundial", "gondola", "marzipan", "bagpipe", "quarry", "lantern", "walrus", "harvest", "violin", "glacier",
    "orchard", "puppet", "saffron", "tunnel", "velvet", "whistle", "yacht", "zebra", "anchor", "bison",
]  # fmt: skip
GENERAL = [(f"Compré un {word} en mercado {word}", f"My uncle sold one {word} near {word}") for word in RARE]
NEWS = GENERAL[:2]
OTHER_TAG = "es-MX"
"""How the corpus of the other cell calls its Spanish: a tag of the same language."""


def write(folder: Path, name: str, rows: list[tuple[str, str]]) -> dict[str, str]:
    """Two files of lines, by side."""
    for side, lines in zip(("source", "target"), zip(*rows, strict=True), strict=True):
        (folder / f"{name}.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {side: f"{folder}/{name}.{side}" for side in ("source", "target")}


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """A study of a small domain, whose cells start from one on a larger text in which the domain's stands as well."""
    monkeypatch.chdir(tmp_path)
    near = [(es, f"{en} now") for es, en in DOMAIN]
    domain, general = write(tmp_path, "domain", DOMAIN), write(tmp_path, "general", [*GENERAL, *DOMAIN, *near])
    news = write(tmp_path, "news", NEWS)
    split = {"dev": 4, "test": 8, "words": [3, 20]}
    rate = {"learning_rate": 1e-3}
    overlay = {
        "corpora": {
            "domain": {"files": {"es": domain["source"], "en": domain["target"]}, "split": split},
            "general": {
                "files": {OTHER_TAG: general["source"], "en": general["target"]},
                "split": {**split, "test": 2, "dev": 2},
                "more_tests": {"news": {OTHER_TAG: news["source"], "en": news["target"]}},
            },
        },
        "pairs": {
            "domain": {"corpus": "domain", "source": "es", "target": "en"},
            "general": {"corpus": "general", "source": OTHER_TAG, "target": "en"},
        },
        "sizes": {"n6": {"pairs": 6, "updates": 6}},
        "rate_search": None,
        "findings": dict.fromkeys(DEFAULT["findings"]),
        "methods": {
            **{label: None for label in DEFAULT["methods"] if label != "none"},
            "ia3": {"method": "IA3", **rate},
            "middle": {"method": "IA3", **rate, "start_from": {"method": "ia3", "pair": "general"}},
            "child": {"method": "IA3", **rate, "start_from": {"method": "middle"}},
            "near": {"method": "in_context", "shots": 3, "choose": "nearest"},
        },
        "studies": dict.fromkeys(DEFAULT["studies"])
        | {"mine": {**STUDY, "figure": "budgets", "pairs": ["domain"], "sizes": ["n6"], "methods": ["child", "near"]}},
    }
    return validate(merge(PRETRAINED | {"models": {"small": {"path": str(SHIPPED)}}}, overlay))


SHIPPED = Path(__file__).parents[2] / "workflow" / "models" / "small"


def divide(configuration: Configuration, pairs: tuple[str, ...] = ("domain", "general")) -> dict[str, Any]:
    """Run the steps up to the division of each pair, with the inputs that each declares; the parts of each pair."""
    folders = {pair: Path(decontaminate_pair.pair_folder(configuration, pair)) for pair in pairs}
    for pair, folder in folders.items():
        params = clean_pair.STEP.params_of(configuration, {"pair": pair})
        clean_pair.run(params, archives=[], table=folder / "clean.tsv", record=folder / "clean.json")
        corpus = configuration.pairs[pair].corpus
        split_corpus.run(
            split_corpus.STEP.params_of(configuration, {"corpus": corpus}),
            cleaned=[folder / "clean.tsv"],
            record=Path(split_corpus.split_file(configuration, corpus)),
        )
    labels = {"pair": "general", "test_set": "news"}
    news = folders["general"] / "news"
    made = {"table": news.with_suffix(".tsv"), "record": news.with_suffix(".json")}
    prepare_test_set.run(prepare_test_set.STEP.params_of(configuration, labels), archives=[], **made)
    for pair, folder in folders.items():
        read = decontaminate_pair.inputs(configuration, pair)
        decontaminate_pair.run(
            decontaminate_pair.STEP.params_of(configuration, {"pair": pair}),
            cleaned=Path(read["cleaned"]),
            split=Path(read["split"]),
            others=[Path(file) for file in read["others"]],
            folder=folder,
            record=folder / "parts.json",
        )
    return {
        pair: {part: read_pairs(folder / f"{part}.tsv") for part in ("train", "dev", "test")}
        for pair, folder in folders.items()
    }


def alike(train: list[SentencePair], tested: list[SentencePair]) -> set[SentencePair]:
    """The rows of a training text that equal or nearly equal a test sentence on a side."""
    found = set()
    for side in ("source", "target"):
        texts = [getattr(row, side) for row in tested]
        near = max_dice([getattr(row, side) for row in train], texts)
        equal = set(map(normalised, texts))
        found |= {row for row, score in zip(train, near, strict=True) if score >= 0.6}
        found |= {row for row in train if normalised(getattr(row, side)) in equal}
    return found


def test_the_cell_to_start_from_has_read_no_test_sentence(configured: Configuration) -> None:
    assert {(cell.method, cell.pair) for cell in all_cells(configured)} >= {("child", "domain"), ("ia3", "general")}
    assert used_corpora(configured) == ["domain", "general"]
    parts = divide(configured)
    general, domain = parts["general"], parts["domain"]
    assert len(domain["test"]) == 8 and len(general["train"]) > 20
    for train in (general["train"], domain["train"]):
        for tested in (domain["test"], domain["dev"], general["test"], general["dev"]):
            assert alike(train, tested) == set()
    # The other cell is scored as well, also on a test set of its own that its text had.
    assert alike(general["train"], [SentencePair("", *row) for row in NEWS]) == set()


def test_text_in_another_tag_of_a_language_counts_as_text_of_it(configured: Configuration) -> None:
    assert decontaminate_pair.params(configured, "general")["alike"] == {"source": ["es"]}
    assert decontaminate_pair.params(configured, "domain")["alike"] == {"source": [OTHER_TAG]}
    default = validate(DEFAULT)
    assert all("alike" not in decontaminate_pair.params(default, pair) for pair in default.pairs)


def test_examples_are_of_the_training_subset_of_the_cell(configured: Configuration) -> None:
    parts = divide(configured)
    cell = next(cell for cell in all_cells(configured) if cell.method == "near")
    read = decode.inputs(configured, cell)
    subset, labels = Path(read["subset"]), {"pair": "domain", "draw": cell.seed, "size": "n6"}
    params = choose_subset.STEP.params_of(configured, labels)
    choose_subset.run(params, train=Path(read["memory"]), output=subset, record=subset.with_suffix(".json"))
    shown = ExampleText(Path(read["memory"]), subset).pairs()
    assert len(read_lines(subset)) == len(shown) == 6
    assert set(shown) <= set(parts["domain"]["train"])
    sources = [row.source for row in parts["domain"]["test"]]
    for choose in ("nearest", "random"):
        rows = chooser(choose, 3, seed=int(cell.seed))(sources, shown)
        examples = {shown[row] for own in rows for row in own}
        assert examples and alike(list(examples), parts["domain"]["test"]) == set()


@pytest.mark.parametrize("as_teacher", [False, True], ids=["tuned", "teacher"])
def test_a_teacher_that_may_have_read_test_sentences_is_refused_as_a_base_model_is(
    tmp_path: Path, as_teacher: bool
) -> None:
    now = held_out_params(validate(PRETRAINED), "interface")
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "config.json").write_bytes((SHIPPED / "config.json").read_bytes())
    record = {"pairs": {}, "corpora": {"interface": now | {"split": now["split"] | {"test": 7}}}}
    write_record(folder / DATA_RECORD, record)
    pupil = {"pretrain": {**SMALL["pretrain"], "inherit": {"model": "teacher"}}} if as_teacher else None
    label = "pupil" if as_teacher else "teacher"
    models = {"teacher": {"path": str(folder)}} | ({"pupil": pupil} if pupil else {})
    study = {"studies": {"mine": {**STUDY, "figure": "budgets", "models": [label]}}}
    with pytest.raises(UserError, match=r"^'models\.teacher' may have seen test sentences: it was pre-trained with an"):
        validate(merge(PRETRAINED, {"models": models} | study))
    write_record(folder / DATA_RECORD, {"pairs": {}, "corpora": {"interface": now}})
    assert read_record(folder / DATA_RECORD)["corpora"]["interface"] == now
    assert label in validate(merge(PRETRAINED, {"models": models} | study)).models
