"""The machine that a step runs on: SLURM allocations, signals to stop, and GPUs that several steps share."""
