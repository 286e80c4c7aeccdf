"""Headers whose values are secrets: read just before the question is asked, and unread afterwards.

A probe carries references; whoever asks it gets a copy with the values. What comes back is searched
for them, because a service may answer with what it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gapless.config.secrets import SecretValue, resolve_secrets
from gapless.drivers.secret_forms import secret_forms
from gapless.drivers.transports.base import Probe
from gapless.errors import UsageError
from gapless.hostside.veil import veil
from gapless.model import Verdict

SECRETS = "secrets"
"""Key in a probe's spec: header name to secret reference."""


_CUT = "…"
"""How an answer ends that was too long to be told."""


@dataclass(frozen=True)
class Veil:
    """Takes secret values out of verdicts."""

    _hidden: tuple[bytes, ...] = ()

    def __call__(self, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        """The verdicts with ``***`` in the place of each value, and of the part of one with which
        an answer was cut off."""
        if not self._hidden:
            return tuple(verdicts)
        return tuple(
            replace(v, asked=self._hide(v.asked), answer=self._hide(v.answer)) for v in verdicts
        )

    def _hide(self, text: str) -> str:
        cut = text.endswith(_CUT)
        told = (text.removesuffix(_CUT) if cut else text).encode("utf-8", "surrogatepass")
        seen = veil(told, self._hidden, cut=cut).decode("utf-8", "surrogatepass")
        return seen + _CUT if cut else seen


class KeptSecrets:
    """What was read for one rollout. A reference is read whenever it is needed; when that fails,
    what was read before is good enough: a healthy instance is not taken for a sick one because a
    program of this machine did not answer."""

    def __init__(self) -> None:
        self._values: dict[str, SecretValue] = {}

    async def read(self, references: Iterable[str]) -> dict[str, str]:
        """The values by reference. Raises UsageError, which names the reference, when one cannot
        be read or cannot be a header, and never could."""
        wanted = dict.fromkeys(references)
        try:
            found = await resolve_secrets({reference: reference for reference in wanted})
            for reference, value in found.items():
                _check(reference, value)
        except UsageError:
            if not wanted.keys() <= self._values.keys():
                raise
            return {reference: self._values[reference].reveal() for reference in wanted}
        self._values.update((reference, SecretValue(value)) for reference, value in found.items())
        return found


def _check(reference: str, value: str) -> None:
    if not value.isprintable():
        raise UsageError(f"the secret {reference} is not one line of text")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        what = f"the secret {reference} cannot be a header: it has letters that are not in Latin-1"
        raise UsageError(what) from None


async def revealed(
    probes: Sequence[Probe], kept: KeptSecrets | None = None
) -> tuple[Sequence[Probe], Veil]:
    """The probes as they are to be asked, and the veil for the answers. Raises UsageError, which
    names the reference, when a secret cannot be read or cannot be a header."""
    if not any(SECRETS in probe.spec for probe in probes):
        return probes, Veil()
    named = [probe.spec.get(SECRETS, {}) for probe in probes]
    found = await (kept or KeptSecrets()).read(r for headers in named for r in headers.values())
    shown: list[Probe] = []
    for probe, headers in zip(probes, named, strict=True):
        rest = {key: part for key, part in probe.spec.items() if key != SECRETS}
        if headers:
            values = {name: found[reference] for name, reference in headers.items()}
            rest["headers"] = {**rest.get("headers", {}), **values}
        shown.append(replace(probe, spec=rest))
    return shown, Veil(secret_forms(found.values()))
