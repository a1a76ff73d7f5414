"""Commands that people type."""
def add_commands(commands): pass
