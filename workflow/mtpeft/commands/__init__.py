"""Commands of `python -m mtpeft`: each reads its arguments and calls one function of the library."""
