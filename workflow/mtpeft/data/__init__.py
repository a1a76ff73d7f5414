"""From corpora to cleaned, split and decontaminated sentence pairs, vocabularies and token arrays."""
