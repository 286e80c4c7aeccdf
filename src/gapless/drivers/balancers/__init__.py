"""What sends traffic to instances: haproxy, command."""
