"""What the tutorial needs beside its text."""
