"""Stateful systems whose members are restarted one after the other: one file a driver."""
