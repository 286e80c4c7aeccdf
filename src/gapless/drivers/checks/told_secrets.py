"""Secrets of a service, taken out of what it wrote into its log."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from gapless.config.secrets import SecretValue, resolve_secret
from gapless.drivers.secret_forms import secret_forms
from gapless.errors import UsageError
from gapless.hostside.veil import veil

Told = tuple[tuple[str, int], ...]
"""Messages and how often they came."""


class ToldSecrets:
    """Reads each reference once; what cannot be read can be hidden by its looks only."""

    def __init__(self) -> None:
        self._values: dict[str, SecretValue] = {}

    async def hide(self, messages: Told, references: Iterable[str]) -> Told:
        """The messages with ``***`` in the place of each secret."""
        wanted = tuple(dict.fromkeys(references))
        if not messages or not wanted:
            return messages
        for reference in wanted:
            if reference not in self._values:
                with suppress(UsageError):
                    self._values[reference] = await resolve_secret(reference)
        known = (self._values[one].reveal() for one in wanted if one in self._values)
        forms = secret_forms(known)
        return tuple((_hidden(text, forms), count) for text, count in messages)


def _hidden(text: str, forms: tuple[bytes, ...]) -> str:
    """A message that was cut off may end with a part of a secret."""
    cut = text.endswith("…")
    raw = veil(text.removesuffix("…").encode("utf-8", "replace"), forms, cut=cut)
    return raw.decode("utf-8", "replace") + ("…" if cut else "")
