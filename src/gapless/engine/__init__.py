"""Interprets plans: steps, journal, recovery, gates, locks, interrupts."""
