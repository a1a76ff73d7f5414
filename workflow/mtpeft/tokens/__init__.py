"""From text to token arrays."""
