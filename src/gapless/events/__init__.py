"""Events: one typed, versioned stream for everybody."""
