"""The event lock: one claim for each event, won once."""
