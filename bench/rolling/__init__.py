"""What the benchmark of containers rolls, and with whom."""
