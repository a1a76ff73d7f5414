"""From a tuned model to hypotheses."""
