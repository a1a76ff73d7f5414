"""COMET (Rei et al. 2020, arXiv 2009.09025): a score that a trained model gives to each sentence.

unbabel-comet 2.2.7 needs older libraries than the workflow, so it lies in an environment of its own and is fed text. It
can't be told which revision of a model to fetch, and fetches the tokenizer of the model's encoder from the newest one;
so the files are fetched here, once, and it is kept offline. Its cache of embeddings may take one batch for another, by
its own words, and is never turned on.
"""

from mtpeft.metrics.comet.metric import COMET

__all__ = ["COMET"]
