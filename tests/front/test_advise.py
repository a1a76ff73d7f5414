"""Advice: the best method of results with a known one is found, errors are told as they are, next cells can be run."""

import csv
import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path

import numpy as np
import pytest
import yaml

from mtpeft.analysis.csv_files import csv_text
from mtpeft.analysis.summary import summary_columns
from mtpeft.config.load import load
from mtpeft.config.studies import all_cells
from mtpeft.core.errors import UserError
from mtpeft.front.advise.advice import GIGABYTE, Advice, advise
from mtpeft.front.advise.answer import answer
from mtpeft.front.advise.costs import cell_of, cost_of
from mtpeft.front.advise.finished import Experience, read_experience, shipped_tables, tables_in
from mtpeft.front.advise.held_out import LEVEL, RANDOM, SCHEMES, HeldOut, best_of
from mtpeft.front.advise.kernel import GroupedRBF
from mtpeft.front.advise.near import nearness_of
from mtpeft.front.advise.next_cells import expected_changes
from mtpeft.front.advise.page import EXAMPLE, errors_of_examples
from mtpeft.front.advise.pareto import ALIKE, best_within, front
from mtpeft.front.advise.regression import REGRESSIONS
from mtpeft.front.advise.request import Request, asked_in, updates_for
from mtpeft.front.advise.text import advice_text, next_overlay
from support.pages import ROOT, rows, section

PAGE = "workflow/docs/advise.md"
SHARES = {"b1": 0.00999, "b10": 0.09997, "all": 1.0}
SYSTEMS = [("full", "all"), ("lora", "b1"), ("lora", "b10"), ("adapter", "b1"), ("adapter", "b10")]
PAIRS = {"es-en": 40.0, "fr-en": 30.0, "de-en": 25.0, "hu-en": 20.0}
SIZES = {"n100": 100, "n400": 400, "n1600": 1600}
TOTAL = 12_164_608


def made(folder: Path, best: str, sizes: Mapping[str, int] = SIZES, pairs: Mapping[str, float] = PAIRS) -> Path:
    """Write results in which one method gains more than the others, whatever the pair and the size."""
    found = [
        {"model": "student", "pair": pair, "method": "none", "budget": "any", "size": "any", "chrf": untouched}
        | {"trained_share": 0.0, "training_pairs": 0}
        for pair, untouched in pairs.items()
    ]
    for pair, untouched in pairs.items():
        for size, count in sizes.items():
            for method, budget in SYSTEMS:
                gain = untouched / 10 + 4 * log10(count) + 3 * log10(100 * SHARES[budget]) + 6 * (method == best)
                found.append(
                    {"model": "student", "pair": pair, "size": size, "method": method, "budget": budget}
                    | {"training_pairs": count, "trained_share": SHARES[budget], "chrf": untouched + gain}
                    | {"minus_none": gain, "trained_parameters": round(SHARES[budget] * TOTAL)}
                    | {"stored_bytes": 4e6 * SHARES[budget], "peak_memory_mb": 1000, "train_seconds": count / 10}
                )
    counts = {"test_set": "test", "seeds": 1, "step_zero": 0, "diverged": 0, "missing": 0}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.csv").write_text(csv_text(summary_columns(), [row | counts for row in found]), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def nothing_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was measured on this machine counts."""
    monkeypatch.chdir(tmp_path)


def advised(request: Request, folder: Path) -> Advice:
    return advise(asked_in(request), read_experience(tables_in(folder), request.metric))


@pytest.fixture(scope="module")
def shipped() -> Experience:
    return read_experience(shipped_tables(), "chrf")


@pytest.fixture(scope="module")
def example(shipped: Experience) -> Advice:
    return advise(asked_in(EXAMPLE), shipped)


@pytest.mark.parametrize("best", ["full", "lora", "adapter"])
def test_the_best_method_of_constructed_results_is_found(best: str, tmp_path: Path) -> None:
    """On a number of pairs that was not run, between those that were; each method has its own costs."""
    found = advised(Request("student", "fr-en", 800), made(tmp_path / "made", best))

    first = found.front[0]
    assert found.nearness.is_near
    assert (first.cell.method, first.cell.size) == (best, "n800")
    assert first.gain is not None
    share = SHARES.get(first.cell.budget, first.share)
    truth = 3 + 4 * log10(800) + 3 * log10(100 * share) + 6
    assert first.gain.low <= truth <= first.gain.high
    assert first.gain.mean == pytest.approx(truth, abs=1.5)
    assert {own.cell.method for own in found.front} <= {"full", "lora", "adapter"}
    assert "prefix" in found.never_run


def test_what_needs_more_memory_is_left_out(example: Advice, shipped: Experience) -> None:
    limit = min(own.cost.memory for own in example.front if own.cell.method == "full") / GIGABYTE - 0.01
    request = Request(EXAMPLE.model, EXAMPLE.pair, EXAMPLE.pairs, limit, EXAMPLE.languages)

    found = advise(asked_in(request), shipped)

    assert "full all" in found.too_large
    assert found.front and found.choices + len(found.too_large) == example.choices
    assert all(own.cost.memory <= limit * GIGABYTE for own in found.front)
    assert all(f"{own.cell.method} {own.cell.budget}" not in found.too_large for own in found.front)
    assert found.next and all(cost_of(found.scales, own.cell, 1).memory <= limit * GIGABYTE for own in found.next)


def test_without_enough_memory_there_is_no_choice(shipped: Experience) -> None:
    found = advise(asked_in(Request("student", "es-en", 400, 0.01)), shipped)

    assert (found.front, found.choices, list(found.next)) == ([], 0, [])
    assert "No choice is left" in advice_text(found)


def test_the_front_gains_less_for_lower_costs(example: Advice) -> None:
    gains = [own.gain.mean for own in example.front if own.gain]
    assert gains == sorted(gains, reverse=True) and gains[-1] > 0
    for better, worse in zip(example.front, example.front[1:], strict=False):
        kinds = ("memory", "seconds", "deployed")
        assert any(getattr(better.cost, kind) > ALIKE * getattr(worse.cost, kind) for kind in kinds)


def test_more_languages_are_more_bytes_of_tuned_weights_alone(example: Advice, shipped: Experience) -> None:
    system = next(own for own in shipped.systems if own.method == "lora" and own.budget == "b1")
    one, many = (cost_of(example.scales, cell_of(system), languages) for languages in (1, 20))
    assert many.deployed - one.deployed == pytest.approx(19 * one.stored)
    assert many.stored == one.stored == pytest.approx(system.costs["stored_bytes"], rel=0.05)
    full = next(own for own in shipped.systems if own.method == "full")
    assert cost_of(example.scales, cell_of(full), 20).deployed == pytest.approx(
        20 * full.costs["stored_bytes"], rel=0.05
    )


FAR = {
    "pairs": (Request("student", "es-en", 100_000), "100,000 sentence pairs, and what was run has 100 to 1,600"),
    "model": (Request("large", "es-en", 1600), "the models that were run have"),
}
LARGE = {"models": {"large": {"pretrain": {"objective": "translation", "pairs": ["es-en"], "vocabulary": 16_000}}}}
LARGE["models"]["large"]["pretrain"] |= {"layers": 12, "d_model": 1024, "heads": 16, "feed_forward": 4096}
LARGE["models"]["large"]["pretrain"] |= {"updates": 1000, "learning_rate": 1e-3}


@pytest.mark.parametrize("case", FAR)
def test_where_nothing_near_was_run_it_says_so_and_tells_no_gain(
    case: str, tmp_path: Path, shipped: Experience
) -> None:
    request, says = FAR[case]
    (tmp_path / "large.yaml").write_text(yaml.safe_dump(LARGE), encoding="utf-8")

    found = advise(asked_in(request, [tmp_path / "large.yaml"]), shipped)

    text = advice_text(found)
    assert "Nothing near was ever run: " in text and says in text
    assert all(own.gain is None for own in found.front) and found.choices == len(found.front) > 0
    assert "interval" not in text.split("How far it is off")[0]
    assert found.next


def test_too_few_cells_teach_nothing(tmp_path: Path) -> None:
    few = made(tmp_path / "few", "lora", sizes={"n100": 100}, pairs={"es-en": 40.0})

    found = advised(Request("student", "es-en", 100), few)

    assert not found.held_out and not found.nearness.is_near
    assert "5 systems are finished, and it takes 10 to learn from" in advice_text(found)
    assert found.next


@pytest.mark.parametrize(
    ("request_", "scheme"),
    [
        (Request("student", "es-en", 400), (RANDOM,)),
        (Request("student", "es-en", 3000), (RANDOM, "one size")),
        (Request("student", "sk-en", 1600), (RANDOM, "one pair")),
        (Request("pten", "es-en", 1600), (RANDOM, "one model")),
    ],
)
def test_intervals_are_those_of_cells_that_were_as_far(request_: Request, scheme: Sequence[str]) -> None:
    found = nearness_of(asked_in(request_), read_experience(shipped_tables(), "chrf"))
    assert (found.is_near, found.schemes) == (True, tuple(scheme))


def test_a_pair_that_was_never_run_has_wider_intervals(shipped: Experience, example: Advice) -> None:
    new = advise(asked_in(Request("student", "sk-en", 1600)), shipped)
    narrowest, widest = (
        choose(own.gain.high - own.gain.low for own in found.front if own.gain)
        for choose, found in ((min, new), (max, example))
    )
    assert narrowest > widest
    assert "chrF  gain" not in advice_text(new)
    assert "The untouched model was not scored on this pair" in advice_text(new)


def test_the_page_tells_the_errors_as_they_are() -> None:
    """With the pins, the generated part is what comes out now; here its numbers are computed once more."""
    found = errors_of_examples()
    told = {row["regression"]: row for row in rows(section(PAGE, "How far it is off")) if "regression" in row}
    assert set(found) < set(told)
    for name, by_scheme in found.items():
        for scheme, held in by_scheme.items():
            error, _, share = told[name][f"{scheme} left out"].partition(" ")
            assert float(error) == pytest.approx(held.mean_error, abs=0.006)
            assert share == f"({held.coverage * 100:.0f} %)"
    assert best_of({name: found[name] for name in REGRESSIONS}) == "Gaussian process"
    assert set(found["trees"]) == set(SCHEMES)


def test_intervals_hold_about_as_many_held_out_cells_as_they_say() -> None:
    assert errors_of_examples()["Gaussian process"][RANDOM].coverage == pytest.approx(LEVEL, abs=0.05)


@pytest.mark.parametrize("believed", [0.1, 1.0, 10.0])
def test_intervals_are_calibrated_whatever_a_regression_believes(believed: float) -> None:
    random = np.random.default_rng(0)
    errors = random.normal(0, 1, 400)
    held = HeldOut(errors, np.full(400, believed), tuple(str(number % 10) for number in range(400)))
    assert held.coverage == pytest.approx(LEVEL, abs=0.02)
    assert held.half_widths(np.full(1, believed))[0] == pytest.approx(1.96, rel=0.15)


def test_the_next_cells_can_be_run(example: Advice, tmp_path: Path) -> None:
    (tmp_path / "next.yaml").write_text(next_overlay(example), encoding="utf-8")

    configuration = load([tmp_path / "next.yaml"])

    cells = {own.cell for own in example.next}
    found = set(all_cells(configuration))
    assert list(configuration.studies) == ["next_cells"] and not configuration.findings
    assert len(cells) == 3 and cells < found
    assert {cell.method for cell in found - cells} == {"none"}
    finished = {own.name for own in example.experience.systems}
    assert finished.isdisjoint("/".join(cell.labels[:-1]) for cell in cells)


def test_the_next_cells_run_over_a_configuration_of_the_user(tmp_path: Path, shipped: Experience) -> None:
    (tmp_path / "mine.yaml").write_text("budgets: {b5: 0.05}\nstudies: {models: ~}\nfindings: {larger: ~}\n")
    found = advise(asked_in(Request("student", "tr-en", 3000), [tmp_path / "mine.yaml"]), shipped)
    (tmp_path / "next.yaml").write_text(next_overlay(found), encoding="utf-8")

    configuration = load([tmp_path / "mine.yaml", tmp_path / "next.yaml"])

    assert {own.cell for own in found.next} < set(all_cells(configuration))


# ---------------------------------------------------------------- parts

EQUAL = np.array([[1.0], [1.0]])


def test_measuring_one_of_two_equal_choices_is_worth_its_mean_gain() -> None:
    """E max(z, 0) of a standard normal z is 1 / sqrt(2 pi)."""
    covariance = np.zeros((3, 3))
    covariance[0, 0] = covariance[2, 2] = covariance[0, 2] = covariance[2, 0] = 1.0
    (change,) = expected_changes(np.array([10.0, 10.0]), covariance, 0.0, costs=EQUAL)
    assert change == pytest.approx((2 * np.pi) ** -0.5, rel=0.05)


@pytest.mark.parametrize(("noise", "shared"), [(0.0, 0.0), (1e9, 1.0)], ids=["in nothing alike", "only noise"])
def test_what_teaches_nothing_changes_nothing(noise: float, shared: float) -> None:
    covariance = np.eye(3)
    covariance[0, 2] = covariance[2, 0] = shared
    (change,) = expected_changes(np.array([10.0, 10.0]), covariance, noise, costs=EQUAL)
    assert change == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(
    ("gains", "costs", "kept"),
    [
        ([3.0, 2.0], [[1.0], [1.0]], [0]),
        ([3.0, 2.0], [[1.2], [1.0]], [0]),
        ([3.0, 2.0], [[1.3], [1.0]], [0, 1]),
        ([3.0, 2.99], [[1.3], [1.0]], [1]),
        ([3.0, 2.0, -1.0], [[9.0, 1.0], [1.0, 9.0], [0.1, 0.1]], [0, 1]),
        ([3.0, 3.0], [[1.0], [1.0]], [0, 1]),
        ([], np.zeros((0, 2)), []),
    ],
    ids=["worse", "costs alike", "costs less", "gains alike", "worse than untouched", "equal", "none"],
)
def test_the_front_has_what_no_other_choice_dominates(
    gains: list[float], costs: list[list[float]], kept: list[int]
) -> None:
    assert front(np.array(gains), np.array(costs)) == kept


def test_the_best_choice_counts_within_each_limit() -> None:
    costs = np.array([[1.0], [2.0], [4.0]])
    assert best_within(np.array([[1.0, 5.0, 3.0], [-1.0, -1.0, 6.0]]), costs) == pytest.approx([11 / 3, 2.0])


def test_columns_of_one_label_share_a_length_scale() -> None:
    rows_ = np.random.default_rng(0).normal(size=(5, 4))
    kernel = GroupedRBF.of([0, 2, 3], [7, 8, 8]).clone_with_theta(np.log([0.7, 1.9]))
    expected = np.exp(
        -0.5
        * sum(((rows_[:, None, c] - rows_[None, :, c]) / scale) ** 2 for c, scale in ((0, 0.7), (2, 1.9), (3, 1.9)))
    )
    covariance, gradient = kernel(rows_, eval_gradient=True)
    assert covariance == pytest.approx(expected) and kernel(rows_, rows_) == pytest.approx(expected)
    for place in range(2):
        step = np.eye(2)[place] * 1e-6
        numeric = (kernel.clone_with_theta(kernel.theta + step)(rows_) - covariance) / 1e-6
        assert gradient[..., place] == pytest.approx(numeric, abs=1e-5)


@pytest.mark.parametrize(("pairs", "updates"), [(100, 60), (200, 95), (400, 150), (3200, 424), (50, 38)])
def test_a_new_size_has_updates_between_those_of_its_neighbours(pairs: int, updates: int) -> None:
    assert updates_for(load(), pairs) == updates


def test_own_results_count_beside_the_shipped_ones(tmp_path: Path, shipped: Experience) -> None:
    own = made(tmp_path / "results" / "mine", "lora")
    both = read_experience([*shipped_tables(), *tables_in(own.parent)], "chrf")
    assert len(both.systems) > len(shipped.systems)
    repeated = read_experience([*shipped_tables(), *shipped_tables()], "chrf")
    assert repeated.systems == shipped.systems
    assert {own.seeds for own in shipped.systems if own.name == "student/es-en/n400/full/all"} == {3}


def test_a_metric_that_the_shipped_results_lack_is_told_from_own_ones(tmp_path: Path) -> None:
    own = made(tmp_path / "mine", "lora")
    rows_ = list(csv.DictReader((own / "summary.csv").open(encoding="utf-8")))
    better = [
        row | {"ter": row["chrf"], "ter_minus_none": f"-{gain}" if (gain := row["minus_none"]) else ""} for row in rows_
    ]
    (own / "summary.csv").write_text(csv_text(tuple(better[0]), better), encoding="utf-8")
    told = "\n".join(answer(Request("student", "fr-en", 400, metric="ter"), [own]))
    assert "over 60 systems," in told and "mean error, TER" in told
    first = told.split("\n\n")[2].splitlines()[1].split()
    assert (first[0], float(first[3])) == ("lora", pytest.approx(30 - float(first[4]), abs=0.11))


REFUSED = {
    "model": (Request("studnet", "es-en", 400), "'--model' names 'studnet'.*did you mean 'student'"),
    "pair": (Request("student", "es-eo", 400), "'--pair' names 'es-eo'.*did you mean"),
    "metric": (Request("student", "es-en", 400, metric="chr"), "'--metric' names 'chr'.*did you mean 'chrf'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_gets_one_sentence(case: str) -> None:
    request, says = REFUSED[case]
    with pytest.raises(UserError, match=says):
        list(answer(request, ()))


def test_a_folder_without_results_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'--results' names .*, which has no summary.csv"):
        list(answer(EXAMPLE, [tmp_path]))
    (tmp_path / "next.yaml").touch()
    with pytest.raises(UserError, match=r"next\.yaml is there already"):
        list(answer(EXAMPLE, (), to=tmp_path / "next.yaml"))


def test_without_scikit_learn_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        UserError, match=r"scikit-learn, which is not installed; run `.*pip install -r envs/advise\.txt`"
    ):
        list(answer(EXAMPLE, ()))


def loaded_after(*words: str) -> list[str]:
    """Which of some libraries the command has loaded when it ends."""
    code = (
        "import sys\nfrom mtpeft.cli import main\n"
        f"try: main({list(words)!r})\n"
        "except SystemExit: pass\n"
        "print(*sorted({'torch', 'transformers', 'peft', 'sklearn'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr.split()


def test_only_the_advice_itself_loads_scikit_learn_and_nothing_loads_torch(tmp_path: Path) -> None:
    assert loaded_after("--help") == loaded_after("advise", "--help") == []
    words = ("advise", "--model", "student", "--pair", "es-en", "--pairs-of-text", "400", "--to", "next.yaml")
    assert loaded_after(*words) == ["sklearn"]
    assert (tmp_path / "next.yaml").is_file()
