"""What a rollout came to, as data computed from its events: outcome, failures, measured gap."""
