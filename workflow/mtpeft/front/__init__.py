"""The commands behind the Makefile: running the sweep safely, and looking at it."""
