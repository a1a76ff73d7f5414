"""The learning rate of an update."""


def learning_rate(update: int, *, peak: float, updates: int, warmup: float) -> float:
    """Linear warm-up over a share of the updates, then linear decay that would reach 0 one update after the last."""
    rising = max(1, round(warmup * updates))
    if update < rising:
        return peak * (update + 1) / rising
    return peak * (updates - update) / max(1, updates - rising)
