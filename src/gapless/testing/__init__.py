"""Public doubles and contract suites, for users' tests and for new drivers."""
