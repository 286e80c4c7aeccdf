"""Configuration files that a deploy brings: rendered here, staged and taken back there."""
