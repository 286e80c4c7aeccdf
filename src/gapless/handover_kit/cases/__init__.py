"""The cases: what is done to the program, and what must come of it."""
