"""Estimate contrasts of systems on one test set, such as a difference, a slope or a single score, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mtpeft.analysis.resampling import SINGLE_RUN, Scored, seed_deviates

Term = tuple[float, Scored]


@dataclass(frozen=True)
class Estimate:
    """A contrast of mean scores over seeds, with its resampled values: shape [resamples].

    `sentence_variance` and `seed_variance` are those of the effect, from the choice of the test sentences and of the
    seeds. With one seed the latter can't be known and is 0. `over_sentences` are the values of resampled sentences
    alone, without the term for the seeds: shape [resamples]. `observed` are the effects of single seeds: shape [seeds].
    """

    effect: float
    samples: np.ndarray
    sentences: int
    seeds: int
    sentence_variance: float
    seed_variance: float
    over_sentences: np.ndarray = field(default_factory=lambda: np.zeros(0))
    observed: np.ndarray = field(default_factory=lambda: np.zeros(0))


def matched_seeds(systems: Sequence[Scored]) -> tuple[str, ...]:
    """Seeds that all systems have, where single runs have every seed; without any seeds, the one label of such runs."""
    seeded = [system.seeds for system in systems if system.seeds != (SINGLE_RUN,)]
    if not seeded:
        return (SINGLE_RUN,)
    return tuple(seed for seed in seeded[0] if all(seed in seeds for seeds in seeded))


def contrast(terms: Sequence[Term], *, sentences: int, stream: str) -> Estimate:
    """The sum of coefficient times mean score over the matched seeds, and its uncertainty.

    Test sentences are resampled, the same for all terms. Seeds are not bootstrapped: a bootstrap of n seeds
    underestimates their variance by the factor (n - 1) / n, ignores the long tails of so few values, and counts the
    noise of sentences twice, since it is in the differences between seeds as well (Owen 2007, "The pigeonhole
    bootstrap"). Instead a term with Student's t and n - 1 degrees of freedom is added. Its variance is that of the mean
    over the matched seeds, less what the resampled sentences explain. Coverage of 95 % percentile intervals in 600
    simulated studies with two to five seeds: 0.93 to 0.97, whether sentences, seeds or both mattered; with bootstrapped
    seeds 0.75 to 0.995.

    Args:
        terms: coefficient and scores of each system.
        sentences: number of test sentences.
        stream: name of the stream of deviates for the seeds.

    Raises:
        ValueError: the systems have no seed in common.
    """
    seeds = matched_seeds([scored for _, scored in terms])
    if not seeds:
        raise ValueError("systems without a common seed")
    parts = [(weight, scored.of(seeds)) for weight, scored in terms]
    observed = sum(weight * scored.observed for weight, scored in parts)
    resampled = sum(weight * scored.resampled for weight, scored in parts)
    return _mean_of_draws(observed, resampled, sentences=sentences, stream=stream)


def _mean_of_draws(observed: np.ndarray, resampled: np.ndarray, *, sentences: int, stream: str) -> Estimate:
    """The mean of few draws, seeds or languages, of which each was measured on resampled sentences.

    Args:
        observed: effect of each draw: shape [draws].
        resampled: the same on resampled sentences: shape [resamples, draws].
        sentences: number of test sentences.
        stream: name of the stream of deviates for the draws.
    """
    draws, over_sentences = len(observed), resampled.mean(1)
    samples, seed_variance = over_sentences, 0.0
    if draws > 1:
        explained = (resampled - over_sentences[:, None]).var(0).sum() / (draws * (draws - 1))
        seed_variance = max(0.0, float(observed.var(ddof=1) / draws - explained))
        samples = samples + np.sqrt(seed_variance) * seed_deviates(draws, stream, len(samples))
    return Estimate(
        effect=float(observed.mean()),
        samples=samples,
        sentences=sentences,
        seeds=draws,
        sentence_variance=float(over_sentences.var()),
        seed_variance=seed_variance,
        over_sentences=over_sentences,
        observed=observed,
    )


def pooled(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of effects on one language, such as of both directions, whose seeds have nothing in common.

    Numbers of sentences and seeds are the smallest.
    """
    many = len(estimates)
    return Estimate(
        effect=float(np.mean([found.effect for found in estimates])),
        samples=np.mean([found.samples for found in estimates], axis=0),
        sentences=min(found.sentences for found in estimates),
        seeds=min(found.seeds for found in estimates),
        sentence_variance=float(np.mean([found.over_sentences for found in estimates], axis=0).var()),
        seed_variance=sum(found.seed_variance for found in estimates) / many**2,
        over_sentences=np.mean([found.over_sentences for found in estimates], axis=0),
    )


def mean_over_languages(estimates: Sequence[Estimate], *, stream: str) -> Estimate:
    """The mean effect over languages, where each of them is a draw from all languages: a random effect.

    It is computed as in `contrast`, with languages in the place of seeds. Resampled sentences, the same for
    translations of one test set, give the variance from the sentences. A term with Student's t over the languages gives
    the variance from the languages that the sentences don't explain. Seeds need no term: each language has seeds of its
    own, so their variance is in the differences between languages already. The `seeds` and `seed_variance` that are
    returned are those of languages.

    Args:
        estimates: one per language; the two directions of a language are pooled before.
        stream: name of the stream of deviates.
    """
    return _mean_of_draws(
        np.array([found.effect for found in estimates]),
        np.stack([found.over_sentences for found in estimates], axis=-1),
        sentences=min(found.sentences for found in estimates),
        stream=stream,
    )


def difference(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two contrasts on different test sets: their sentences and their seeds have nothing in common.

    Numbers of sentences and seeds are those of the smaller.
    """
    return Estimate(
        effect=first.effect - second.effect,
        samples=first.samples - second.samples,
        sentences=min(first.sentences, second.sentences),
        seeds=min(first.seeds, second.seeds),
        sentence_variance=first.sentence_variance + second.sentence_variance,
        seed_variance=first.seed_variance + second.seed_variance,
        over_sentences=first.over_sentences - second.over_sentences,
    )
