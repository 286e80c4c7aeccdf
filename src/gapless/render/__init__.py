"""All user-facing wording: plans, the live view, the failure screen, tables."""
