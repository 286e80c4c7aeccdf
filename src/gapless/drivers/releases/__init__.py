"""What is deployed: directory."""
