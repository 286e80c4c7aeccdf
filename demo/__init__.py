"""`make demo`: the main job of gapless on three real systemd hosts, on this machine alone."""
