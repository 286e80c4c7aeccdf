"""`make demo` on this machine alone, and `make demo-lab` on three systemd hosts."""
