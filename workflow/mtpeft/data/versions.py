"""Versions of the steps on which it depends which sentences are tested on.

They are raised by hand when a change of code must make old text stale. Prose is treated otherwise than UI
strings, and has versions of its own.
"""

WHEEL = 1
CLEAN, CLEAN_PROSE = 1, 2
SPLIT, SPLIT_PROSE = 2, 3
