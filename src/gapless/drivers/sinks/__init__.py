"""Who receives events: jsonl, compat, command, webhook."""
