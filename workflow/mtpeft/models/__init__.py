"""Base models: their shapes, their languages, how they are made and opened."""
