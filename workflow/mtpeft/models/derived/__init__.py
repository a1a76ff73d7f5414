"""Base models that are made from other base models."""
