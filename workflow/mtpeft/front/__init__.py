"""What stands behind the Makefile: running the sweep safely, and looking at it."""
