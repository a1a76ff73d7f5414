"""Prices of studies: what is left is counted as a sweep does it, and priced by what was measured."""

import re
from collections.abc import Callable
from math import log
from pathlib import Path

import pytest

from mtpeft.cells import RATE_LABELS
from mtpeft.config.load import load, merge, validate
from mtpeft.config.methods import search_of
from mtpeft.config.model_shapes import model_folder
from mtpeft.config.schema import Configuration
from mtpeft.config.studies import all_cells, rate_classes
from mtpeft.config.yaml_file import read_yaml
from mtpeft.core.files import read_record, write_record
from mtpeft.front.plan import prices_text
from mtpeft.front.prices.costs import ROUGHLY, WITH_EXPERTS, Costs
from mtpeft.front.prices.jobs import Job, jobs_left
from mtpeft.front.prices.limit import limit_lines, limited
from mtpeft.front.prices.measured import Measured
from mtpeft.front.prices.storage import storage_of
from mtpeft.front.prices.work import Work, planned, search_of_rate, sizes_of
from mtpeft.front.watch.pricing import priced
from mtpeft.methods import options_of
from mtpeft.methods.staged import stages_of
from mtpeft.models import published
from mtpeft.steps.cells_of_studies import placed_cells, placed_served
from mtpeft.training.finetune import plan_of
from mtpeft.training.loop import evaluation_steps
from mtpeft.training.params import CellParams
from mtpeft.training.rate_search import next_rate
from support.default import DEFAULT
from support.front import configured, finish, own_cell
from support.model import train_params
from support.published import FOLDER
from support.serving import STUDY
from support.sweep import ROOT

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
    monkeypatch.setattr(published, "PUBLISHED", {})
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


def test_decodings_with_experts_and_the_making_of_these_are_priced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = read_yaml(ROOT / "config.yaml")
    none_of_theirs = {"studies": dict.fromkeys(shipped["studies"]), "findings": None}
    moe = {"serving": {"moe": {"active": [1.0, 0.5]}}}
    configuration = validate(
        merge(merge(shipped, none_of_theirs), {"studies": {"served": {**STUDY, "seeds": [1]}}} | moe)
    )
    jobs = {job.name: job for job in jobs_left(configuration)}
    served = placed_served(configuration, "served")
    assert len(served) == 4
    (decoding,) = {jobs[own.cell.path].work.decoding for own in served if own.cell.method == "none"}
    for own in served:
        whole, some = jobs[own.cell.path], jobs[f"{own.cell.path} with {own.active} experts"]
        made = jobs[f"the experts of {own.cell.path}"]
        assert whole.work is not None and some.work is not None and made.work is not None
        # A cell that is trained decodes dev as well.
        assert some.work.decoding == decoding <= whole.work.decoding
        assert (some.trainings, some.work.training) == (0, 0.0)
        assert made.work.training > 0
        of_decoding = Costs([]).price(whole.kind, some.work).seconds
        price = Costs([]).price(some.kind, some.work)
        assert price.seconds == pytest.approx(WITH_EXPERTS * of_decoding)
        assert list(price.rests_on) == [f"{ROUGHLY}, 2 times for experts"]
        # Once one was measured, the others cost as much for each operation.
        took = Measured("one", some.kind, Work(), 0.0, some.work, 7.0, "here", "served")
        assert Costs([took]).price(some.kind, some.work.times(3)).seconds == pytest.approx(21.0)
        assert Costs([took]).price(whole.kind, some.work).seconds == pytest.approx(of_decoding)
    assert "experts and their routers" in prices_text(configuration, cores=2)
    # A sweep that is watched has a price for each record.
    expected = priced(configuration, at_once=1, before={})
    for own in served:
        assert expected.seconds[str(own.folder / "served.json")] > 0 < expected.seconds[str(own.split / "experts.json")]
