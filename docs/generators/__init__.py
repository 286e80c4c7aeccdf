"""One generator a page of ``docs/reference``: each returns the whole text of its page."""
