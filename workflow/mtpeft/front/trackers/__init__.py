"""Hand the records of finished cells to trackers of experiments, which are optional: one file for each of them."""
