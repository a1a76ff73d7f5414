"""Environments of their own for what needs other versions than the workflow: folders of packages, each with a record of
what it was made from, that an isolated Python alone sees.
"""
