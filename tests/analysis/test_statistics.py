"""Statistics: right on known cases, and right as often as they claim on simulated studies."""

import math

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from mtpeft.analysis.estimates import Estimate, contrast
from mtpeft.analysis.p_values import holm, interval, p_greater, p_less, p_outside, p_within
from mtpeft.analysis.power import sizes_that_decide
from mtpeft.analysis.rank_correlation import interval_of, p_rising, spearman, values_needed
from mtpeft.analysis.resampling import Scored, score_runs, sentence_weights
from mtpeft.config.significance import ALPHA
from mtpeft.metrics.bleu import corpus_score as bleu
from mtpeft.metrics.chrf import corpus_score as chrf

REFERENCES = [
    "Save the changes before you leave the page",
    "The file could not be found",
    "Delete",
    "Choose a name for the new folder, then press Enter.",
    "No network connection is available",
]
HYPOTHESES = {
    "good": [
        "Save the changes before leaving the page",
        "The file was not found",
        "Delete",
        "Choose a name for a new folder, then press Enter.",
        "No connection to the network is available",
    ],
    "poor": ["the the the", "file", "", "name", "No network is"],
    "no four-gram": ["a b c", "The file is", "x", "", "No network was"],
    "nothing": ["zzz", "qqq www", "kk", "jjjj", "vvvv bb"],
    "empty": ["", "", "", "", ""],
}


def counts_of(metric: CHRF | BLEU, hypotheses: list[str], references: list[str]) -> np.ndarray:
    return np.array(metric._extract_corpus_statistics(hypotheses, [references]))


@pytest.mark.parametrize("system", HYPOTHESES)
@pytest.mark.parametrize(("metric", "score"), [(CHRF(), chrf), (BLEU(), bleu)], ids=["chrf", "bleu"])
def test_scores_are_those_of_sacrebleu_on_every_resampled_test_set(system: str, metric: CHRF | BLEU, score) -> None:
    counts = counts_of(metric, HYPOTHESES[system], REFERENCES)
    rows = np.random.default_rng(1).integers(0, len(REFERENCES), size=(40, len(REFERENCES)))

    ours = score(counts[rows].sum(1))

    theirs = [
        metric.corpus_score([HYPOTHESES[system][row] for row in draw], [[REFERENCES[row] for row in draw]]).score
        for draw in rows
    ]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)
    if system == "good":
        assert max(theirs) > 40


def test_resampled_scores_are_those_of_the_sentences_drawn() -> None:
    counts = np.stack([counts_of(CHRF(), HYPOTHESES[system], REFERENCES) for system in ("good", "poor")])
    weights = sentence_weights(len(REFERENCES), 50)

    scored = score_runs(counts, ("1", "2"), weights, chrf)

    for draw in range(50):
        repeated = counts.repeat(weights[draw].astype(int), axis=1)
        np.testing.assert_allclose(scored.resampled[draw], chrf(repeated.sum(1)), rtol=0, atol=1e-9)
    np.testing.assert_allclose(scored.observed, chrf(counts.sum(1)))
    assert (weights.sum(1) == len(REFERENCES)).all()


def mean(counts: np.ndarray) -> np.ndarray:
    """A score of two columns, sum and number, as linear as chrF is in practice."""
    return counts[..., 0] / counts[..., 1]


REGIMES = {"sentences": (1.0, 0.0, 0.3), "both": (1.0, 0.1, 1.0), "seeds": (1.0, 0.4, 0.5), "chance": (0.2, 0.0, 1.0)}
"""Standard deviations of a sentence's difference, of a seed, and of a seed on a sentence."""


def studies(count: int, *, truth: float, regime: str, seeds: int, sentences: int = 80) -> list[Estimate]:
    """Differences of two simulated systems whose true difference is known, in studies of their own."""
    generator = np.random.default_rng([count, seeds])
    of_sentence, of_seed, of_both = REGIMES[regime]
    weights = sentence_weights(sentences, 400)
    labels = tuple(map(str, range(seeds)))
    found = []
    for study in range(count):
        difficulty = 3 * generator.standard_normal(sentences)
        gain = truth + of_sentence * generator.standard_normal(sentences)
        noise = of_seed * generator.standard_normal((seeds, 1)) + of_both * generator.standard_normal(
            (seeds, sentences)
        )
        values = {"one": np.tile(difficulty, (seeds, 1)), "two": difficulty + gain + noise}
        systems = {
            name: score_runs(np.stack([value, np.ones_like(value)], axis=-1), labels, weights, mean)
            for name, value in values.items()
        }
        terms = [(1.0, systems["two"]), (-1.0, systems["one"])]
        found.append(contrast(terms, sentences=sentences, stream=str(study)))
    return found


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("regime", REGIMES)
def test_the_interval_holds_the_truth_as_often_as_it_says(regime: str, seeds: int) -> None:
    intervals = [interval(study.samples) for study in studies(300, truth=0.5, regime=regime, seeds=seeds)]

    covered = np.mean([low <= 0.5 <= high for low, high in intervals])

    assert 0.915 <= covered <= 0.985


@pytest.mark.parametrize("regime", REGIMES)
def test_false_positives_are_as_rare_as_they_should_be(regime: str) -> None:
    at_margin = studies(300, truth=1.0, regime=regime, seeds=3)
    at_zero = studies(300, truth=0.0, regime=regime, seeds=3)

    wrong = {
        "on par": np.mean([p_within(study.samples, 1.0) <= 0.05 for study in at_margin]),
        "outside": np.mean([p_outside(study.samples, 1.0) <= 0.05 for study in at_margin]),
        "better": np.mean([p_greater(study.samples) <= 0.05 for study in at_zero]),
        "worse": np.mean([p_less(study.samples) <= 0.05 for study in at_zero]),
    }

    assert max(wrong.values()) <= 0.05 + 0.03
    assert min(wrong.values()) > 0


def test_power_grows_with_the_effect_and_what_is_on_par_is_shown() -> None:
    shown = [
        np.mean([p_greater(study.samples) < 0.05 for study in studies(100, truth=truth, regime="sentences", seeds=3)])
        for truth in (0.0, 0.3, 0.8)
    ]
    equal = studies(100, truth=0.0, regime="sentences", seeds=3)

    assert shown[0] < 0.15 < 0.6 < shown[1] < shown[2]
    assert np.mean([p_within(study.samples, 1.0) < 0.05 for study in equal]) > 0.95


def test_matched_seeds_cancel_what_they_share_and_a_single_run_pairs_with_each() -> None:
    generator = np.random.default_rng(3)
    sentences, weights = 60, sentence_weights(60, 200)
    shared = 5 * generator.standard_normal((3, 1)) + generator.standard_normal((3, sentences))
    scores = {
        name: score_runs(np.stack([value, np.ones_like(value)], axis=-1), seeds, weights, mean)
        for name, value, seeds in (
            ("one", shared, ("1", "2", "3")),
            ("two", (shared + 0.7)[::-1], ("3", "2", "1")),
            ("none", np.zeros((1, sentences)), ("any",)),
        )
    }

    matched = contrast([(1.0, scores["two"]), (-1.0, scores["one"])], sentences=sentences, stream="")
    alone = contrast([(1.0, scores["one"])], sentences=sentences, stream="")
    beside = contrast([(1.0, scores["one"]), (-1.0, scores["none"])], sentences=sentences, stream="")

    np.testing.assert_allclose(matched.samples, 0.7)
    assert matched.seeds == beside.seeds == 3
    np.testing.assert_allclose(beside.samples, alone.samples)
    assert alone.seed_variance > 1
    single = contrast([(1.0, scores["none"])], sentences=sentences, stream="")
    assert (single.seeds, single.seed_variance) == (1, 0.0)
    with pytest.raises(ValueError, match="seed"):
        other = Scored(("9",), scores["one"].observed[:1], scores["one"].resampled[:, :1])
        contrast([(1.0, other), (-1.0, scores["one"])], sentences=sentences, stream="")


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.2], [0.2]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([], []),
    ],
)
def test_holm_on_worked_examples(given: list[float], adjusted: list[float]) -> None:
    assert holm(given) == pytest.approx(adjusted)


def test_p_values_count_resamples_and_are_never_zero() -> None:
    samples = np.arange(1, 100) / 10

    assert p_greater(samples) == 0.01
    assert p_less(samples) == 1.0
    assert p_greater(samples, 0.5) == pytest.approx(0.06)
    assert p_within(samples, 20.0) == 0.01
    assert p_within(samples, 5.0) == pytest.approx(0.51)
    assert p_outside(samples, 0.05) == 0.02
    assert interval(samples) == pytest.approx((0.345, 9.655))


def test_spearman_with_ties_and_without_order() -> None:
    from scipy.stats import spearmanr

    x, y = np.array([0.1, 0.3, 0.3, 0.7, 1.0, 1.0]), np.array([2.0, 1.0, 4.0, 4.0, 3.0, 8.0])

    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)
    np.testing.assert_allclose(spearman(np.stack([y, -y, np.ones(6)]), x), [spearman(x, y), -spearman(x, y), 0.0])


@pytest.mark.parametrize("values", [5, 12], ids=["all orders", "random orders"])
def test_the_permutation_test_is_uniform_under_the_null(values: int) -> None:
    generator = np.random.default_rng(8)
    p_values = [p_rising(*generator.standard_normal((2, values))) for _ in range(150)]

    for level in (0.05, 0.1, 0.25, 0.5, 0.75):
        spread = math.sqrt(level * (1 - level) / 150)
        assert abs(np.mean(np.array(p_values) <= level) - level) <= 3 * spread + 0.01


def test_the_permutation_test_is_exact_on_few_values() -> None:
    assert p_rising(np.arange(4.0), np.arange(4.0)) == pytest.approx(1 / 24)
    assert p_rising(np.arange(4.0), -np.arange(4.0)) == 1.0


def test_the_number_of_values_has_the_power_it_promises() -> None:
    generator = np.random.default_rng(2)
    needed = [values_needed(rho, 0.05) for rho in (0.2, 0.4, 0.6, 0.8)]
    assert needed == sorted(needed, reverse=True)
    assert values_needed(0.0, 0.05) is None
    rho = 0.6
    latent = 2 * math.sin(math.pi * rho / 6)  # Pearson's correlation of normal values with this rank correlation
    x = generator.standard_normal((200, needed[2]))
    y = latent * x + math.sqrt(1 - latent**2) * generator.standard_normal(x.shape)

    shown = np.mean([p_rising(*pair) < 0.05 for pair in zip(x, y, strict=True)])

    assert 0.7 <= shown <= 0.9


def estimate(sentence_variance: float, seed_variance: float, seeds: int = 3) -> Estimate:
    return Estimate(0.0, np.zeros(1), 500, seeds, sentence_variance, seed_variance)


def test_intervals_of_rank_correlations_hold_the_truth() -> None:
    generator, rho, languages = np.random.default_rng(7), 0.6, 8
    x = generator.standard_normal((400, languages))
    y = rho * x + np.sqrt(1 - rho**2) * generator.standard_normal((400, languages))
    truth = 6 / np.pi * np.arcsin(rho / 2)  # Spearman's of a normal pair
    found = [interval_of(float(spearman(*pair)), languages) for pair in zip(x, y, strict=True)]
    assert 0.92 <= np.mean([low <= truth <= high for low, high in found]) <= 0.99
    low, high = interval_of(1.0, languages)
    assert 0.99 < low <= high <= 1.0
    assert interval_of(0.5, 3) is None


@pytest.mark.parametrize("variances", [(0.2, 0.0), (0.2, 0.01), (0.2, 0.2), (0.01, 0.2), (0.0, 0.2)])
def test_more_is_needed_for_a_narrower_gap(variances: tuple[float, float]) -> None:
    needs = [sizes_that_decide(estimate(*variances), gap=gap, alpha=0.05) for gap in (3.0, 2.0, 1.0, 0.5, 0.3, 0.2)]

    assert needs[0] is not None and needs[-1] is not None
    for key in ("sentences", "seeds"):
        numbers = [getattr(need, key) for need in needs]
        assert numbers == sorted(numbers)
    assert needs[0] != needs[-1]
    assert (needs[-1].seeds > 3) == (variances[1] > 0.005)
    assert (needs[-1].sentences > 500) == (variances[0] > 0)


@pytest.mark.parametrize("gap", [0.0, -1.0, 1e-4])
def test_no_number_is_named_where_none_would_do(gap: float) -> None:
    assert sizes_that_decide(estimate(0.2, 0.2), gap=gap, alpha=0.05) is None


@pytest.mark.parametrize(("regime", "gap"), [("sentences", 0.15), ("seeds", 0.35)])
def test_with_the_sample_sizes_needed_four_of_five_studies_decide(regime: str, gap: float) -> None:
    before = studies(60, truth=gap, regime=regime, seeds=3)
    # What three seeds say of their variance differs much from study to study; the formula is what is tested.
    variances = (np.mean([getattr(study, name) for study in before]) for name in ("sentence_variance", "seed_variance"))
    need = sizes_that_decide(Estimate(gap, np.zeros(1), 80, 3, *variances), gap=gap, alpha=ALPHA)
    assert (need.sentences, need.seeds) != (80, 3)

    after = studies(120, truth=gap, regime=regime, seeds=need.seeds, sentences=need.sentences)

    assert 0.7 <= np.mean([p_greater(study.samples) < ALPHA for study in after]) <= 0.96
