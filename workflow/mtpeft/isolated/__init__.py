"""Environments of their own for packages that need other versions than the workflow.

Each is a folder of packages with a record of what it was made from, and only an isolated Python process sees it.
"""
