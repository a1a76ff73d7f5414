"""Statistics of scores: resampling, tests, and what more data would decide. Arrays in, numbers out."""
