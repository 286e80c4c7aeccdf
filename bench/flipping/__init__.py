"""What ``bench.flip`` compares, and how it measures."""
