"""Simulated studies: claims are wrong as rarely as they say, and what is true is found often enough to be worth asking.

A study has members on test sets of their own. Of each a difference of two systems is simulated sentence by sentence and
seed by seed, and goes through the rules that decide findings.
"""

from collections.abc import Sequence

import numpy as np
import pytest

from mtpeft.analysis.estimates import Estimate, contrast, mean_over_languages, pooled
from mtpeft.analysis.findings.claim import REFUTED, SUPPORTED, claim_named, verdict_on_all
from mtpeft.analysis.findings.contrasts import ClaimContext
from mtpeft.analysis.findings.decisions import MeasuredContrast, decide
from mtpeft.analysis.p_values import holm, interval, p_two_sided
from mtpeft.analysis.rank_correlation import p_rising, partial_spearman
from mtpeft.analysis.resampling import Scored, sentence_weights
from mtpeft.config.significance import ALPHA, FEWEST_FOR_TESTS, MOST_FOR_TESTS, MOST_TESTS, resamples_for

SENTENCES, RESAMPLES = 60, 1000
SENTENCE_SD = 1.5
"""Of a difference on one sentence: 0.19 in the mean of the test set, as on 1,200 sentences of the default study."""
CONTEXT = ClaimContext({}, {}, frozenset(), {"chrf": 1.0}, RESAMPLES)


def member(generator: np.random.Generator, truth: float, *, seed_sd: float, seeds: int, stream: str) -> Estimate:
    """The estimate of a difference whose true value is known."""
    of_seeds = seed_sd * generator.standard_normal((seeds, 1))
    values = truth + SENTENCE_SD * generator.standard_normal(SENTENCES) + of_seeds
    labels = tuple(map(str, range(seeds)))
    weights = sentence_weights(SENTENCES, RESAMPLES) / SENTENCES
    scored = Scored(labels, values.mean(1), weights @ values.T)
    return contrast([(1.0, scored)], sentences=SENTENCES, stream=stream)


def verdicts(claim: str, truths: Sequence[float], *, studies: int, seed_sd: float = 0.1, seeds: int = 3) -> list[str]:
    """Verdicts on the claim of all members in studies that differ in their chance alone."""
    generator = np.random.default_rng([studies, len(truths), seeds])
    found = []
    for _ in range(studies):
        estimates = [
            member(generator, truth, seed_sd=seed_sd, seeds=seeds, stream=f"{place}")
            for place, truth in enumerate(truths)
        ]
        compared = [MeasuredContrast({"chrf": own}, lacking="", barred="", step_zero="") for own in estimates]
        found.append(verdict_on_all(decide(compared, claim_named(claim), CONTEXT, metric="chrf")))
    return found


def share(found: Sequence[str], wanted: str) -> float:
    return sum(verdict == wanted for verdict in found) / len(found)


def test_twenty_pairs_without_a_difference_are_found_on_par_in_most_studies() -> None:
    found = verdicts("on_par", [0.0] * 20, studies=60)

    assert share(found, SUPPORTED) >= 0.5
    assert share(found, REFUTED) <= 0.05


def test_one_pair_at_the_margin_among_others_on_par_is_missed_as_rarely_as_the_level_says() -> None:
    found = verdicts("on_par", [0.0] * 3 + [1.0], studies=250)

    assert 0.01 <= share(found, SUPPORTED) <= ALPHA + 0.025


@pytest.mark.parametrize("claim", ["beats_on_small_data", "larger_beats_smaller", "falls_with_budget"])
def test_an_advantage_is_claimed_of_all_at_most_at_the_level_where_one_has_none(claim: str) -> None:
    found = verdicts(claim, [2.0, 2.0, 0.0], studies=200)

    assert 0.005 <= share(found, SUPPORTED) <= ALPHA + 0.03


@pytest.mark.parametrize("truths", [[0.0], [0.0] * 8], ids=len)
def test_a_claim_is_refuted_at_most_at_the_level_however_many_members_it_has(truths: list[float]) -> None:
    found = verdicts("beats_on_small_data", truths, studies=1000 // (2 + len(truths)))

    assert share(found, REFUTED) <= ALPHA + 0.025


def test_being_outside_the_margin_is_claimed_at_most_at_the_level_even_for_a_margin_without_width() -> None:
    """Either side may be the one that is outside, so one side's p-value alone would be right half as often."""
    generator = np.random.default_rng(5)
    p_values = [
        p_two_sided(member(generator, 0.0, seed_sd=0.1, seeds=3, stream=str(study)).samples) for study in range(400)
    ]

    assert 0.01 <= np.mean(np.array(p_values) < ALPHA) <= ALPHA + 0.025


LANGUAGES = 10


@pytest.mark.parametrize(
    ("languages", "language_sd", "seed_sd", "shared"),
    [(4, 1.0, 0.1, False), (10, 1.0, 0.1, False), (10, 0.0, 0.1, True), (10, 0.3, 0.3, True), (20, 0.2, 0.0, True)],
)
def test_the_interval_of_a_mean_over_languages_holds_the_truth_as_often_as_it_says(
    languages: int, language_sd: float, seed_sd: float, shared: bool
) -> None:
    """Whether languages, seeds or sentences matter most, and whether test sentences are translations of each other."""
    generator, covered, studies = np.random.default_rng(languages), [], 300
    weights = sentence_weights(SENTENCES, 400) / SENTENCES
    for study in range(studies):
        effects = 0.5 + language_sd * generator.standard_normal(languages)
        common = SENTENCE_SD * generator.standard_normal(SENTENCES) if shared else 0.0
        found = []
        for place, effect in enumerate(effects):
            own = common + SENTENCE_SD * generator.standard_normal(SENTENCES)
            values = effect + own + seed_sd * generator.standard_normal((3, 1))
            scored = Scored(("1", "2", "3"), values.mean(1), weights @ values.T)
            found.append(contrast([(1.0, scored)], sentences=SENTENCES, stream=f"{place}"))
        low, high = interval(mean_over_languages(found, stream=str(study)).samples)
        covered.append(low <= 0.5 <= high)

    assert 0.93 - 0.02 <= np.mean(covered) <= 0.97 + 0.02


def test_both_directions_of_a_language_are_one_observation_of_it() -> None:
    generator = np.random.default_rng(3)
    one, other = (member(generator, truth, seed_sd=0.1, seeds=3, stream="de") for truth in (0.0, 2.0))

    both = pooled([one, other])

    assert both.effect == pytest.approx((one.effect + other.effect) / 2)
    np.testing.assert_allclose(both.over_sentences, (one.over_sentences + other.over_sentences) / 2)
    assert mean_over_languages([both, both, both], stream="").seeds == 3


def supported(places: np.ndarray, falls: np.ndarray) -> bool:
    """The rule of distance with two kinds of it, of which one must show the claim, corrected over both."""
    return min(holm([p_rising(places[:, kind], falls) for kind in (0, 1)])) < ALPHA


def test_distance_without_a_relation_is_supported_at_most_at_the_level_where_both_directions_are_tested() -> None:
    """Languages differ, and their two directions are alike: counted as two observations the level would not hold."""
    generator, studies = np.random.default_rng(11), 250
    once, twice = [], []
    for _ in range(studies):
        places = generator.standard_normal((LANGUAGES, 2))
        falls = generator.standard_normal((LANGUAGES, 1)) + 0.2 * generator.standard_normal((LANGUAGES, 2))
        once.append(supported(places, falls.mean(1)))
        twice.append(supported(places.repeat(2, axis=0), falls.ravel()))

    assert np.mean(once) <= ALPHA + 0.03
    assert np.mean(twice) > np.mean(once) + 0.02


def test_a_partial_correlation_sees_through_what_only_follows_a_third_quantity() -> None:
    generator = np.random.default_rng(4)
    plain, partial = [], []
    for _ in range(300):
        untouched = generator.standard_normal(12)
        distance, fall = (untouched + generator.standard_normal(12) for _ in range(2))
        plain.append(p_rising(distance, fall) < ALPHA)
        partial.append(partial_spearman(distance, fall, untouched)[1] < ALPHA)

    assert np.mean(plain) > 0.35
    assert np.mean(partial) <= ALPHA + 0.04


def test_resamples_suffice_for_the_strictest_of_the_corrected_tests() -> None:
    for tests in (1, 20, 51, MOST_TESTS):
        resamples = resamples_for(tests)
        smallest = 1 / (1 + resamples)
        assert holm([smallest] * tests)[0] < ALPHA / 10
    assert resamples_for(1) == FEWEST_FOR_TESTS
    assert resamples_for(MOST_TESTS) == MOST_FOR_TESTS


def test_more_resamples_begin_with_those_of_fewer() -> None:
    np.testing.assert_array_equal(sentence_weights(30, 2500)[:1000], sentence_weights(30, 1000))
