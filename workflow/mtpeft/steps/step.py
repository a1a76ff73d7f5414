"""What a step of the workflow is to the command line."""

import argparse
from collections.abc import Callable

Run = Callable[[argparse.Namespace], int | None]
Step = tuple[Run, str, str]
"""What runs it; its files, `?` for one that may be missing, `*` for any number; what it does, in words."""
