"""Prices of studies: what is left is counted as a sweep does it, and priced by what was measured."""

import re
from collections.abc import Callable
from math import log
from pathlib import Path

import pytest

from mtpeft.cells import RATE_LABELS
from mtpeft.config.load import load, merge, validate
from mtpeft.config.methods import search_of
from mtpeft.config.models import model_folder
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells, rate_classes
from mtpeft.core.files import read_record, write_record
from mtpeft.decoding.search import BATCH_TOKENS
from mtpeft.front.plan import prices_text
from mtpeft.front.prices.calibrations import missing_calibrations
from mtpeft.front.prices.costs import ROUGHLY, Costs
from mtpeft.front.prices.gpus import GPUS, PRECISIONS, seconds_on
from mtpeft.front.prices.jobs import Job, jobs_left
from mtpeft.front.prices.limit import limit_lines, limited
from mtpeft.front.prices.measured import Measured, measured_here
from mtpeft.front.prices.storage import storage_of
from mtpeft.front.prices.table import errors
from mtpeft.front.prices.work import DECODED_TOKENS, Work, kind_of, planned, search_of_rate, sizes_of
from mtpeft.methods import options_of
from mtpeft.methods.staged import stages_of
from mtpeft.steps.calibrate import calibration_file
from mtpeft.steps.cells_of_studies import placed_cells
from mtpeft.training.calibrate import calibrate
from mtpeft.training.finetune import plan_of
from mtpeft.training.loop import evaluation_steps
from mtpeft.training.params import CellParams
from mtpeft.training.rate_search import next_rate
from support.default import DEFAULT
from support.front import configured, finish, own_cell
from support.model import inputs, train_params
from support.published import FOLDER
from support.record import schema_mistakes
from support.sweep import ROOT, copy, small_study
from support.sweep import planned as planned_jobs

FULL = own_cell("small", "pt-en", "n4800", "full", "all", "1")
NOTHING_MEASURED = Costs([])
DEEP = {"layers": 24, "ffn_dim": 8192}
"""Layers of each side of M2M-100 with 1.2 billion parameters, whose other sizes are those with 418 million."""


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Seven cells of a tiny model, of which nothing is done."""
    monkeypatch.chdir(tmp_path)
    return configured(tmp_path)


def named(jobs: list[Job]) -> list[str]:
    return [job.name for job in jobs]


def test_everything_that_is_left_is_counted_once(configuration: Configuration) -> None:
    jobs = jobs_left(configuration)

    assert len(set(named(jobs))) == len(jobs)
    assert {job.name for job in jobs if job.is_cell} == {cell.path for cell in all_cells(configuration)}
    assert sum(job.trainings for job in jobs) == 6
    assert sum(job.trials != (0, 0) for job in jobs) == len(rate_classes(configuration)) == 3
    assert all(job.work is not None for job in jobs)


def test_finished_cells_cost_nothing(configuration: Configuration) -> None:
    before = named(jobs_left(configuration))

    finish(FULL)

    assert set(before) - set(named(jobs_left(configuration))) == {FULL.path}


def test_a_trained_cell_has_its_decoding_left(configuration: Configuration) -> None:
    finish(FULL)
    (FULL.folder / "decode.json").unlink()

    (left,) = [job for job in jobs_left(configuration) if job.name == FULL.path]

    assert left.work is not None
    assert (left.trainings, left.work.training, left.work.updates) == (0, 0.0, 0.0)
    assert left.work.decoding > 0


def tried(candidates: list[float], extensions: int, score: Callable[[float], float]) -> int:
    """Number of rates that a search tries whose dev scores follow a rule."""
    scores: dict[float, float] = {}
    while (rate := next_rate(scores, candidates, extensions)) is not None:
        scores[rate] = score(rate)
    return len(scores)


@pytest.mark.parametrize(
    ("search", "places"),
    [
        ({"pair": "es-en", "extensions": 3}, 1),
        ({"pair": ["es-en", "de-en"], "extensions": 0}, 2),
        ({"pair": ["es-en", "de-en"], "seed": [7, 8], "extensions": 2}, 4),
    ],
)
def test_trials_are_those_that_a_search_makes(search: dict[str, object], places: int) -> None:
    own = {"rate_search": {**search, "table": None}}
    configuration = validate(merge(DEFAULT, own))
    labels = ("small", "n1600", "adapter", "b10")
    candidates = search_of(configuration, "adapter").search
    extensions = configuration.rate_search.extensions

    work, least, most = search_of_rate(configuration, labels)

    assert len(labels) == len(RATE_LABELS)
    assert least == places * tried(candidates, extensions, lambda rate: -abs(log(rate / candidates[1])))
    assert most == places * tried(candidates, extensions, lambda rate: rate)
    assert work is not None
    updates = configuration.sizes["n1600"].updates
    assert least * updates <= work.updates <= most * updates


@pytest.mark.parametrize("method", ["full", "scratch", "lora", "prefix", "prefix_then_lora"])
def test_updates_and_evaluations_are_those_of_the_training(method: str) -> None:
    params = CellParams.of(train_params(method))
    plans = [plan_of(params, 0.1, stage=stage) for stage in range(len(stages_of(params.method)))]
    evaluations = sum(len(evaluation_steps(plan.updates, plan.evaluations)) for plan in plans)
    options = options_of(train_params(method)["method"])

    updates, decoded = planned(options, params.optimisation.updates, params.optimisation.evaluations)

    assert updates == sum(plan.updates for plan in plans)
    # The dev score of the base model is known where the method starts as it.
    assert decoded in (evaluations, evaluations - 1)


def test_the_table_names_every_study_and_says_what_its_hours_rest_on(configuration: Configuration) -> None:
    text = prices_text(configuration, cores=2)

    header, *rows = (line.split() for line in text.splitlines())
    labels = [row[0] for row in rows]
    assert header[:3] == ["left", "to", "do"]
    assert {*configuration.studies, "all,"} <= set(labels)
    assert f"rest on: {ROUGHLY} (100%)" in text
    assert "Estimates of" not in text
    assert f"{FULL.model}/{FULL.pair}/{FULL.size}/full/all" in text


def test_rows_add_up_to_all_of_it() -> None:
    configuration = validate(DEFAULT)
    jobs = jobs_left(configuration)

    text = prices_text(configuration, cores=2)

    found = {line.split("  ")[0]: line for line in text.splitlines()}
    counts = [int(found[label].removeprefix(label).split()[0].replace(".", "0")) for label in configuration.studies]
    assert sum(counts) == sum(job.trainings for job in jobs if job.study in configuration.studies)
    assert int(found["all, each once"].removeprefix("all, each once").split()[0]) == sum(counts)


def test_a_limit_of_hours_leaves_out_the_last_jobs_and_names_them_all(configuration: Configuration) -> None:
    jobs = jobs_left(configuration)
    seconds = [NOTHING_MEASURED.price(job.kind, job.work).seconds for job in jobs if job.work is not None]
    half = sum(seconds[: len(jobs) // 2])

    found = limited(jobs, NOTHING_MEASURED, hours=1.000001 * half / 3600 / 2, cores=2)
    lines = list(limit_lines(found, hours=8, cores=2))

    assert [*found.fits, *(job for job, _ in found.left_out)] == jobs
    assert len(found.fits) == len(jobs) // 2
    assert [line.split(": ")[1] for line in lines[1:]] == named(jobs)[len(jobs) // 2 :]


def test_a_limit_that_suffices_leaves_nothing_out(configuration: Configuration) -> None:
    jobs = jobs_left(configuration)

    found = limited(jobs, NOTHING_MEASURED, hours=1e6, cores=1)
    (line,) = limit_lines(found, hours=1e6, cores=1)

    assert (found.fits, found.left_out) == (jobs, [])
    assert f"{len(jobs)} jobs (7 cells)" in line


def test_of_a_model_that_is_not_fetched_nothing_is_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = load()
    jobs = jobs_left(configuration)

    text = prices_text(configuration, cores=2, max_hours=1e6)

    unknown = [job for job in jobs if job.work is None]
    assert {job.model for job in unknown} == {"student"}
    assert "?: of student nothing is known before the model is fetched" in text
    assert all(f"unknown   {job.study}: {job.name}" in text for job in unknown)


def test_the_largest_cell_is_a_full_fine_tuning_and_disk_holds_all_weights(configuration: Configuration) -> None:
    storage = storage_of(configuration, placed_cells(configuration), at_once=1)

    sizes = sizes_of(configuration, "small")
    assert sizes is not None
    assert storage.largest is not None and storage.largest.method == "full"
    assert storage.memory > 5 * 4 * sizes.total
    assert 2 * 4 * sizes.total < storage.stored < 3 * 4 * sizes.total
    finish(FULL)
    assert storage_of(configuration, placed_cells(configuration), at_once=1).stored < storage.stored


def test_a_batch_of_decoding_is_as_large_as_that_of_the_search() -> None:
    assert DECODED_TOKENS == BATCH_TOKENS


def test_work_is_faster_with_fewer_bits_and_never_faster_than_its_launches(configuration: Configuration) -> None:
    sizes = sizes_of(configuration, "small")
    assert sizes is not None
    large, tiny = Work(training=1e18, updates=10, decoding=1e18, steps=10), Work(training=1.0, updates=1000)

    for gpu in GPUS:
        hours = [seconds_on(gpu, large, sizes, precision) for precision in PRECISIONS]
        assert hours == sorted(hours, reverse=True) and len(set(hours)) == len(hours)
        assert seconds_on(gpu, tiny, sizes, "bf16") == seconds_on(gpu, tiny, sizes, "float32") > 1


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
    assert all(costs.price(own.kind, own.decoding).seconds > 0 for own in measured)
    assert line.startswith(f"Estimates of {len(cells)} finished cells")
    assert jobs_left(configuration) == []
    assert missing_calibrations(configuration, measured) == []
    assert planned_jobs(folder, calibration_file(configuration, "small", "adapter")) == {"calibrate": 1}
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


def test_the_head_of_the_paper_s_study_has_its_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [ROOT / "workflow/studies/paper.yaml"]
    shallow = read_record(FOLDER / "m2m100_418M/config.json")
    deep = {f"{side}_{size}": number for side in ("encoder", "decoder") for size, number in DEEP.items()}
    configs = {
        "mbart50": read_record(FOLDER / "mbart-large-50/config.json"),
        "mbart50_mmt": read_record(FOLDER / "mbart-large-50-many-to-many-mmt/config.json"),
        "m2m418": shallow,
        "m2m1200": shallow | deep,
    }
    for label, config in configs.items():
        write_record(model_folder(load(files), label) / "config.json", config)
    configuration = load(files)
    told = " ".join(files[0].read_text(encoding="utf-8").replace("\n#", " ").split())
    found = re.search(r"([\d,]+) hours of an A100 in float32, as it is here, ([\d,]+) in TF32 and ([\d,]+) in bf", told)

    text = prices_text(configuration, cores=2)

    computed = re.findall(r"(?:float32|tf32|bf16) H100 [\d,.]+, A100 ([\d,.]+)", text)
    assert found is not None
    assert [round(float(own.replace(",", "")), -1) for own in computed] == [
        float(own.replace(",", "")) for own in found.groups()
    ]
