"""The configuration: its types, its checks, and what follows from it for every job."""
