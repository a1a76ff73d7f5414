"""What every part of the package builds on: errors, files, records, checksums, languages, provenance."""
