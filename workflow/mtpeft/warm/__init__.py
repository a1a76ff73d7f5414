"""Steps that start at once: one process has loaded torch, transformers and peft, and every step is a fork of it.

The command of a step stays what it is. Where a warm process listens, the command only hands its arguments, folder,
environment and standard streams over, passes signals on, and ends as its fork does; where none listens, or anything
about it is not right, the step runs in the command's own process.
"""
