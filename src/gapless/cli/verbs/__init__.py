"""The verbs: each module has one ``command``."""
