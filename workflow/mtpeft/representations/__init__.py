"""How many directions the hidden states of each layer use, before and after tuning."""
