"""Headers whose values are secrets: read just before the question is asked, and unread afterwards.

A probe carries references; whoever asks it gets a copy with the values. What comes back is searched
for them, because a service may answer with what it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gapless.config.secrets import resolve_secrets
from gapless.drivers.transports.base import Probe
from gapless.errors import UsageError
from gapless.model import Verdict

SECRETS = "secrets"
"""Key in a probe's spec: header name to secret reference."""


_WORD = 4
"""Letters from which a part of a value counts as secret, too."""


@dataclass(frozen=True)
class Veil:
    """Takes secret values out of verdicts."""

    _values: tuple[str, ...] = ()

    def __call__(self, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        """The verdicts with ``***`` in the place of each value."""
        if not self._values:
            return tuple(verdicts)
        return tuple(
            replace(v, asked=self._hide(v.asked), answer=self._hide(v.answer)) for v in verdicts
        )

    def _hide(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, "***")
        return text


async def revealed(probes: Sequence[Probe]) -> tuple[Sequence[Probe], Veil]:
    """The probes as they are to be asked, and the veil for the answers. Raises UsageError, which
    names the reference, when a secret cannot be read or cannot be a header."""
    if not any(SECRETS in probe.spec for probe in probes):
        return probes, Veil()
    shown: list[Probe] = []
    values: dict[str, None] = {}
    for probe in probes:
        references = probe.spec.get(SECRETS, {})
        found = await resolve_secrets(references)
        for name, value in found.items():
            if not value.isprintable():
                raise UsageError(f"the secret {references[name]} is not one line of text")
            # a header like "Bearer abc" is given back as "abc" as well
            words = (word for word in value.split()[1:] if len(word) >= _WORD)
            values.update(dict.fromkeys((value, *words)))
        rest = {key: part for key, part in probe.spec.items() if key != SECRETS}
        if found:
            rest["headers"] = {**rest.get("headers", {}), **found}
        shown.append(replace(probe, spec=rest))
    return shown, Veil(tuple(sorted(values, key=len, reverse=True)))
