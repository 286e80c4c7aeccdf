"""What nobody could tell of the instances a deploy touches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gapless.planning.survey import Survey

_SHOWN = 3


def unsure_notes(name: str, hosts: Sequence[str], survey: Survey | None) -> Iterator[str]:
    """One sentence for each answer, with the hosts that gave it."""
    where: dict[str, list[str]] = {}
    for host in hosts if survey is not None else ():
        seen = survey.of(name, host) if survey is not None else None
        for answer in seen.unsure if seen is not None else ():
            where.setdefault(answer, []).append(host)
    for answer, told in where.items():
        more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        yield f"{name}: {answer} ({', '.join(told[:_SHOWN])}{more})"
