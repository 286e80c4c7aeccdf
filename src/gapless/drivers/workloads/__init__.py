"""Clients of clusters, one file a system: what ``--prove`` writes and reads with."""
