"""The results page of a study file: one HTML file, drawn from tables, records and hypotheses, without a model."""
