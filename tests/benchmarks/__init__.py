"""Benchmarks: `make bench` and `make bench-workflow`."""
