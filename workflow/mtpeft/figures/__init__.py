"""The figures of the studies, drawn from the two tables alone; `draw.draw_figure` is the way in."""
