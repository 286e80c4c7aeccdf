"""What runs on the hosts of the lab."""
