"""What people are told, by the real command line in virtual time."""
