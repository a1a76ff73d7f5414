"""Steps as forks of one process that has loaded torch, transformers and peft already.

The command of a step stays what it is. Where a fork server listens, the command hands its arguments, folder,
environment and standard streams over, passes signals on, and ends as its fork does. Where none listens, or anything
about it is not right, the step runs in the process of the command.
"""
