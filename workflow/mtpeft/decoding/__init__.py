"""Decoding: from a trained model to hypotheses."""
