"""What work costs: measured by finished cells, searches and calibrations, and computed for GPUs."""

from pathlib import Path

import pytest

from mtpeft.config.load import validate
from mtpeft.core.files import read_record
from mtpeft.decoding.search import BATCH_TOKENS
from mtpeft.front.prices.calibrations import missing_calibrations
from mtpeft.front.prices.costs import Costs
from mtpeft.front.prices.gpus import GPUS, PRECISIONS, ComputedIn, seconds_on
from mtpeft.front.prices.jobs import jobs_left
from mtpeft.front.prices.measured import Measured, measured_here
from mtpeft.front.prices.table import errors
from mtpeft.front.prices.work import DECODED_TOKENS, Work, kind_of, sizes_of
from mtpeft.steps.calibrate import calibration_file
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.training.calibrate import calibrate
from support.default import DEFAULT, tiny_study
from support.model import inputs, train_params
from support.record import schema_mistakes
from support.sweep import copy, planned, small_study


def test_a_batch_of_decoding_is_as_large_as_that_of_the_search() -> None:
    assert max(BATCH_TOKENS.values()) == DECODED_TOKENS


def test_work_is_faster_with_fewer_bits_and_never_faster_than_its_launches() -> None:
    sizes = sizes_of(tiny_study(), "small")
    assert sizes is not None
    large, tiny = Work(training=1e18, updates=10, decoding=1e18, steps=10), Work(training=1.0, updates=1000)

    for gpu in GPUS:
        for given in (lambda own: ComputedIn(own, "float32"), lambda own: ComputedIn("float32", own)):
            hours = [seconds_on(gpu, large, sizes, given(precision)) for precision in PRECISIONS]
            assert hours == sorted(hours, reverse=True) and len(set(hours)) == len(hours)
        half, single = ComputedIn("bf16", "bf16"), ComputedIn("float32", "float32")
        assert seconds_on(gpu, tiny, sizes, half) == seconds_on(gpu, tiny, sizes, single) > 1


def test_a_calibration_is_made_for_each_kind_of_work_once() -> None:
    configuration = small_study()

    wanted = missing_calibrations(configuration, [])

    assert wanted == [
        calibration_file(configuration, model, method)
        for model, method in (("small", "full"), ("small", "adapter"), ("small", "lora"), ("denoiser", "full"))
    ]


@pytest.mark.parametrize("method", ["full", "lora", "prefix_then_lora"])
def test_a_calibration_prices_what_was_never_run(
    method: str, sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = train_params(method, updates=3, learning_rate=None)
    record = Path(f"results/calibration/tiny/{method}.json")

    calibrate(params, labels={"model": "tiny", "method": method}, inputs=inputs(sweep), record=record)

    assert schema_mistakes(record, "calibration") == []
    found = read_record(record)
    assert (found["updates"], found["pairs"], found["params"]) == (3, 44, params)
    assert found["update_processor_seconds"] > 0 and found["decode_processor_seconds"] > 0
    assert found["trained_text"]["source"]["sentences"] > 3
    assert found["decoded_text"]["source"]["sentences"] == 8
    (measured,) = measured_here(validate(DEFAULT))
    price = Costs([measured]).price(kind_of("tiny", params["method"], "float32"), Work(training=1e9, decoding=1e9))
    assert price.seconds > 0
    assert list(price.rests_on) == ["calibrations of the same model and method"]


def test_estimates_of_a_finished_study_are_compared_with_what_it_took(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy(finished, tmp_path / "run")
    monkeypatch.chdir(folder)
    configuration = small_study()

    measured = measured_here(configuration)
    costs = Costs(measured)
    (line,) = errors(costs)

    cells = [cell for cell in placed_cells(configuration) if cell.model != "any"]
    assert {own.name for own in measured if own.by == "cell"} == {cell.path for cell in cells}
    assert len(read_record(next(folder.glob("results/rates/*/*/*/*.json")))["trials"]) == sum(
        own.by == "trial" for own in measured
    )
    assert all(costs.price(own.kind, own.training + own.decoding).seconds > 0 for own in measured)
    assert line.startswith(f"Estimates of {len(cells)} finished cells")
    assert jobs_left(configuration) == []
    assert missing_calibrations(configuration, measured) == []
    assert planned(folder, calibration_file(configuration, "small", "adapter")) == {"calibrate": 1}
    record = read_record(cells[0].folder / "train.json")
    assert record["processor_seconds"] > 0


def test_a_cell_is_estimated_by_the_others_alone() -> None:
    kind, work = kind_of("small", {"method": "full"}, "float32"), Work(training=1e9)
    measured = [
        Measured(name, kind, work, seconds, Work(), 0.0, "here") for name, seconds in (("one", 10), ("two", 30))
    ]
    costs = Costs(measured)

    assert costs.price(kind, work).seconds == pytest.approx(20.0)
    assert costs.price(kind, work, without="one").seconds == pytest.approx(30.0)
    assert list(errors(costs)) == [
        "Estimates of 2 finished cells, each by what else was measured, against what they took: 1.67 in the median, "
        "0.33 to 3.00."
    ]
