"""Questions about health: http, tcp, unix, command, systemd."""
