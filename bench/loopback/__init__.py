"""A fleet on one machine: sshd on 127.0.1.1 to 127.0.1.200, and a small service on each."""
