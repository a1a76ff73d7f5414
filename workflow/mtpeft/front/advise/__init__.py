"""The command `advise`: which method and budget to take next, by the cells that are finished."""
