"""Metrics of translation quality, and the step that scores hypotheses."""
