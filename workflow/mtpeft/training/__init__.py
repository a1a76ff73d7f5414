"""The training engine, for pre-training and fine-tuning alike."""
