"""Base models: their architecture, tokenizer and weights, how they are checked and opened."""
