"""Configuration files, rendered here and put in place there."""
