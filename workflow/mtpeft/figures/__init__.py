"""The figures of the studies, drawn from `summary.csv` and the tables that a figure names under `needs`.

`draw.draw_figure` draws one of them.
"""
