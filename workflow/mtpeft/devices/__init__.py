"""GPUs of one machine, shared by the steps that run side by side on it."""
