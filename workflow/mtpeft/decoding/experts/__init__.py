"""Feed-forward blocks of a trained model as experts: how they are split, who chooses among them, how they compute."""
