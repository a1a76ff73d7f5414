"""Statistics and tables of scores: resampling, contrasts, significance tests, systems and their summaries."""
