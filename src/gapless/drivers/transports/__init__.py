"""How a host is reached: local, ssh."""
