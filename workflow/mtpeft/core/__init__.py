"""The foundations of every part of the package: errors, files, records, checksums, languages, provenance."""
