"""A fork server: steps run as forks of one process that has loaded torch, transformers and peft already.

The command of a step stays what it is. Where a fork server listens, the command hands over its arguments, folder,
environment and standard streams, passes signals on, and ends as its fork does. Where none listens, or its process was
started otherwise, the step runs in the process of the command.
"""
