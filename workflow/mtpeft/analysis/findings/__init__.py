"""Test the claims of a configuration on the cells of its studies: supported, refuted or undecided."""
