"""The benchmarks run, on the smallest of everything, and their tables have all rows; no time is a fact here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ours, rivals, sizes, startup
from benchmarks.measure import Lap, Measurement
from benchmarks.profiles import kind_of
from benchmarks.shapes import METHODS, SHAPES, ShapeCase, write_shape
from benchmarks.tables import MERGED, OURS, SIDES, decoding_table, training_table
from mtpeft.data.token_arrays import IGNORED
from support.sweep import ROOT, STUDY, copy, environment

pytestmark = pytest.mark.slow

CELLS = ("small/es-en/n200/full/all/1", "small/es-en/n200/lora/b5/1")
NARROW = {
    "d_model": 16,
    "num_hidden_layers": 1,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "vocab_size": 60,
    "max_position_embeddings": 256,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
}


def printed(folder: Path, module: str, *arguments: str) -> str:
    """What a benchmark prints in a folder."""
    path = os.pathsep.join((str(ROOT / "workflow"), str(ROOT / "tests")))
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment() | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def tables_in(said: str) -> list[list[list[str]]]:
    """Cells of the tables that are printed, by row, the headers left out."""
    blocks = re.findall(r"(?m)((?:^\|.*\|\n?)+)", said)
    return [[line.strip("| ").split(" | ") for line in block.splitlines()][2:] for block in blocks]


@pytest.mark.sweep
def test_all_cells_are_measured_on_all_sides(finished: Path, tmp_path: Path) -> None:
    folder = copy(finished, tmp_path / "run")
    few = ("--updates", "2", "--repetitions", "2", "--sentences", "6")

    said = printed(folder, "trainer", "--configfile", STUDY.name, "--cell", *CELLS, *few)

    labels = ["`small`, full", "`small`, lora"]
    training, decoding, profile, peak = tables_in(said)
    rows = [[label, side] for label in labels for side in SIDES]
    assert [row[:2] for row in training] == rows
    assert [row[:2] for row in decoding if row[1] != MERGED] == rows
    assert [row[0] for row in decoding if row[1] == MERGED] == labels[1:]
    for row in (*training, *decoding):
        assert float(row[2].replace(",", "")) > 0
        assert (row[4] == "1.00") is (row[1] == OURS)
    assert {"matrix products", "clipping and optimiser"} <= {row[0] for row in profile}
    assert [row[0] for row in peak] == labels


@pytest.mark.parametrize("published", SHAPES.values())
@pytest.mark.parametrize("method", METHODS)
def test_a_published_shape_is_trained_and_decoded_on_both_sides(published: str, method: str, tmp_path: Path) -> None:
    write_shape(published, tmp_path / "base", NARROW)
    options, _, rate = METHODS[method]
    budget = 0.3 if method == "LoRA" else None
    case = ShapeCase("shape", tmp_path / "base", options, budget, rate, {"batch_tokens": 256}, rows=60)

    own = ours.train(case, Lap(1, 3), tmp_path / "tuned")
    others = [rivals.train(case, Lap(1, 3), rivals.Setting(expert=expert)) for expert in (False, True)]

    batch = ours.batches(case.text(case.special_tokens(case.untrained())), case.params(3))
    assert own.amount == sum(
        int((one["input_ids"] != 1).sum() + (one["labels"] != IGNORED).sum()) for one in map(batch, (1, 2))
    )
    assert all(one.more["sentences"] == others[0].more["sentences"] and one.amount > 0 for one in others)
    decodings = [
        ours.decode(case, tmp_path / "tuned", 3),
        rivals.predict(case, tmp_path / "tuned", 3, 2),
        rivals.generate(case, tmp_path / "tuned", 3, 2),
    ]
    assert [one.amount for one in decodings] == [3, 3, 3]
    limits = [length + 10 for length in map(len, case.sources()[:3])]
    assert all(len(own) <= limit for own, limit in zip(decodings[0].more["hypotheses"], limits, strict=True))


def test_a_lap_may_begin_and_end_between_updates_that_are_counted_together() -> None:
    called: list[str] = []
    lap = Lap(2, 7, begin=lambda: called.append("begin"), end=lambda: called.append("end"))
    for update in (1, 3, 6, 9, 12):
        lap.after(update)

    assert (lap.updates, called) == ([3, 9], ["begin", "end"])


def test_ratios_are_those_within_a_repetition() -> None:
    """Ours takes twice as long in the second repetition, as the other side does."""

    def measurement(cpu: float) -> Measurement:
        more = {"padding": 0.1, "dev_score": 20 + cpu, "hypotheses": [[1], [2]]}
        return Measurement(100, cpu, cpu, 300, 100, False, more)

    found = {("a", OURS): [measurement(1), measurement(2)], ("a", "other"): [measurement(3), measurement(6)]}

    for table in (training_table, decoding_table):
        assert [row[4] for row in tables_in(table(found))[0]] == ["1.00", "3.00 (3.00 to 3.00)"]
    assert tables_in(training_table(found))[0][1][-1] == "+3.00"
    assert tables_in(decoding_table(found))[0][1][-1] == "100.0%"


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        ("aten::addmm", "matrix products"),
        ("aten::_scaled_dot_product_flash_attention_for_cpu_backward", "attention"),
        ("aten::_fused_adamw_", "clipping and optimiser"),
        ("aten::add", "other operators"),
    ],
)
def test_operators_are_told_by_their_names(operator: str, kind: str) -> None:
    assert kind_of(operator) == kind


def test_each_text_step_is_measured_at_each_size(tmp_path: Path) -> None:
    (rows,) = tables_in(printed(tmp_path, "sizes", "--pairs", "1000"))

    assert [row[0] for row in rows] == list(sizes.STEPS_MEASURED)
    assert all(re.fullmatch(r"[\d.e-]+ s, -?[\d.]+ MB", row[1]) for row in rows)


def test_each_start_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {name: startup.STARTS[name] for name in ("Python alone", "`python -m mtpeft --help`")}
    monkeypatch.setattr(startup, "STARTS", quick)

    (rows,) = tables_in(startup.start_table(startup.start_costs(1)))

    assert [row[0] for row in rows] == list(quick)
