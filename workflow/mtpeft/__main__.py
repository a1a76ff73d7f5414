"""`python -m mtpeft`: every step of the workflow as a command, and the commands that people type."""

from mtpeft.cli import main

main()
