"""One file per step of the lifecycle, in the words of the design."""
