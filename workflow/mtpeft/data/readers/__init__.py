"""The file formats in which parallel text is read."""
