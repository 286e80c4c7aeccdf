"""What starts and stops instances: systemd, command."""
