"""COMET (Rei et al. 2020, arXiv 2009.09025): a score that a trained model gives to each sentence.

unbabel-comet 2.2.7 needs older libraries than the workflow, so it has an environment of its own and gets text. It has
no option for the revision of a model, and fetches the tokenizer of the model's encoder from the newest one. So the
files are fetched here, once, and COMET stays offline. Its cache of embeddings may confuse batches, as its documentation
says, and is never turned on.
"""
