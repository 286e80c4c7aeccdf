"""What the benchmark of clusters rolls, how, and what its client sees of it."""
