"""A systemd unit on a lab host that is put under ``gapless run``."""
