"""Watch a sweep from its files: Snakemake's events, the records of cells, and how far each training is."""
