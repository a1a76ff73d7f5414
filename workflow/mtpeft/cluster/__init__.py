"""The machine that a step runs on: SLURM, the lock of the folder, preemption, and GPUs that several steps share."""
