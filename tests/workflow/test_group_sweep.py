"""One cell over two pairs through the whole workflow: trained once, scored on each pair, kept free of test text."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mtpeft.cells import Cell, OnPair
from mtpeft.config.load import load
from mtpeft.config.schema import Configuration
from mtpeft.core.files import read_record
from mtpeft.data.similarity import max_dice
from mtpeft.data.tsv import read_pairs
from mtpeft.front.plan import cells_table
from mtpeft.front.status import is_finished, state_of, status_table
from mtpeft.steps.train import placed
from support.record import schema_mistakes
from support.sweep import STUDY, copy, located, planned, run, small_study, write_study

pytestmark = [pytest.mark.sweep, pytest.mark.slow, pytest.mark.xdist_group("group sweep")]

PAIRS = ("de-en", "es-en")
PAIR = "de-en+es-en"
STUDIES = {
    "together": {
        "figure": "budgets",
        "models": ["small"],
        "pairs": ["es-en", PAIR],
        "sizes": ["n200"],
        "methods": ["full"],
        "seeds": [1],
    }
}


FULL = placed(small_study({"studies": STUDIES}), Cell("small", PAIR, "n200", "full", "all", "1"))


@pytest.fixture(scope="module")
def grouped(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run with one study more, all of whose cells are there but that of the group."""
    folder = copy(finished, tmp_path_factory.mktemp("groups") / "run")
    jobs = planned(folder, "study_together", overlay={"studies": STUDIES})
    assert jobs == {
        **dict.fromkeys(("choose_subset_at_most", "decode_other", "score_other"), 2),
        **dict.fromkeys(("train", "collect_scores", "summarise", "draw_figure", "study_together"), 1),
    }
    code, said = run(folder, overlay={"studies": STUDIES}, options=["--target", "study_together"])
    assert code == 0, said[-5000:]
    return folder


def test_a_group_has_one_training_and_a_score_on_each_of_its_pairs(grouped: Path) -> None:
    record = read_record(grouped / FULL.folder / "train.json")
    assert schema_mistakes(grouped / FULL.folder / "train.json", "train") == []
    assert (record["status"], record["training_pairs"]) == ("ok", 400)
    starts = [read_record(located(grouped, f"results/models/small/start/{pair}.json"))["dev_score"] for pair in PAIRS]
    assert record["dev_history"][0]["score"] == pytest.approx(sum(starts) / 2)
    assert not (grouped / FULL.folder / "hypotheses").exists()
    for pair in PAIRS:
        for name in ("decode", "score"):
            assert schema_mistakes(grouped / OnPair(FULL, pair).folder / f"{name}.json", name) == []
    with (grouped / "results/small_study/tables/together/scores.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["pair"] == PAIR]
    for row, pair in zip(rows, PAIRS, strict=True):
        score = read_record(grouped / OnPair(FULL, pair).folder / "score.json")["test_sets"]["test"]["chrf"]["score"]
        assert (row["scored_pair"], float(row["chrf"])) == (pair, pytest.approx(score))
    assert "2 cells, 1 seed" in (grouped / "results/small_study/figures/together.svg").read_text(encoding="utf-8")


def test_no_sentence_that_a_group_is_trained_on_resembles_one_that_any_of_its_pairs_is_measured_on(
    grouped: Path,
) -> None:
    trained = {pair: read_pairs(located(grouped, f"data/pairs/{pair}") / "train.tsv") for pair in PAIRS}
    for part in ("dev", "test"):
        measured = {pair: read_pairs(located(grouped, f"data/pairs/{pair}") / f"{part}.tsv") for pair in PAIRS}
        english = [row.target for rows in measured.values() for row in rows]
        for pair, rows in trained.items():
            assert len(rows) >= 200
            foreign = [row.source for row in measured[pair]]
            assert max_dice([row.target for row in rows], english).max() < 0.6
            assert max_dice([row.source for row in rows], foreign).max() < 0.6


@pytest.fixture
def configuration(grouped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Of the study, in a copy of its run, to change."""
    monkeypatch.chdir(copy(grouped, tmp_path / "run"))
    return load([write_study(Path(), {"studies": STUDIES})])


def test_a_group_is_counted_as_one_cell(configuration: Configuration) -> None:
    assert [line.split()[1:] for line in cells_table(configuration).splitlines() if "together" in line] == [
        ["2", "1", "2"]
    ]
    (OnPair(FULL, "es-en").folder / "score.json").unlink()
    assert [state_of(configuration, FULL, pair) for pair in (*PAIRS, None)] == ["done", "stopped", "stopped"]
    counted = [line.split() for line in status_table(configuration).splitlines() if line.startswith("together")]
    assert counted == [["together", "full", *"1...1."]]
    target = str(OnPair(FULL, "es-en").folder / "score.json")
    assert planned(Path.cwd(), target, overlay={"studies": STUDIES}) == {"score_other": 1}


def append(file: str) -> Callable[[], None]:
    def appended() -> None:
        path = located(Path(), file)
        path.write_text(path.read_text(encoding="utf-8") + "1\n", encoding="utf-8")

    return appended


@pytest.mark.parametrize(
    ("change", "overlay", "holds"),
    [
        (lambda: None, {"training": {"temperature": 3.0}}, []),
        (lambda: None, {"sizes": {"n200": {"pairs": 201}}}, []),
        (append("data/pairs/es-en/subsets_at_most/1/n200.txt"), {}, []),
        (append("data/pairs/es-en/test.tsv"), {}, ["de-en"]),
    ],
    ids=["temperature", "size", "subset of one pair", "test text of one pair"],
)
def test_a_group_is_current_while_all_its_pairs_are(
    change: Callable[[], None], overlay: dict[str, object], holds: list[str], configuration: Configuration
) -> None:
    assert is_finished(configuration, FULL)
    change()
    Path("edit.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    changed = load([Path(STUDY.name), Path("edit.yaml")])
    assert not is_finished(changed, FULL)
    assert [pair for pair in PAIRS if is_finished(changed, FULL, pair)] == holds
