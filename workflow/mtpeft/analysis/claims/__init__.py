"""Claims that the configuration can make, one file each: its keys, the systems that it compares, its rule in words."""
