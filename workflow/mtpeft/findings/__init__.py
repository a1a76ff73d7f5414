"""Findings: claims, each tested on the cells of a study, able to be supported, refuted or left undecided."""
