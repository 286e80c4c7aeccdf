"""Copies that hand over to each other (docs/reference/handover.md), and what the host does."""
