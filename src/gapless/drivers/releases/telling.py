"""What a person is told while a release is fetched or built: whoever asks for it sets the listener.

Nothing here is a record; what came of it is in the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str], None]
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


def tell(text: str) -> None:
    """One sentence about what is done now and may take a while."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(text)


@contextmanager
def told(listener: Listener) -> Iterator[None]:
    """Within the body, what is told goes to ``listener`` (from any thread)."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
