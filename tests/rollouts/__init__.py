"""Whole rollouts with the real command on real systemd hosts."""
