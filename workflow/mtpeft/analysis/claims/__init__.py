"""Claims, each tested on the cells of a study: supported, refuted or undecided."""
