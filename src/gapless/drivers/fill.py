"""Names and commands of a balancer or a service with an instance filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from gapless.model import Instance
from gapless.supervisor.spec import filled as in_slot

_FIELD = re.compile(r"\{(host|name|service|address)\}")


def fill(template: str, instance: Instance, address: Callable[[str], str]) -> str:
    """``template`` with {host}, {name}, {service}, {address} and {slot} of the instance, and
    {slot:ONE|OTHER}: ONE in slot a, OTHER in slot b.

    Other braces stay as they are: a command may well hold JSON.
    """
    values = {
        "host": instance.host,
        "name": instance.host.partition(".")[0],
        "service": instance.service,
        "address": instance.address or address(instance.host),
    }
    filled = _FIELD.sub(lambda match: values[match.group(1)], template)
    return in_slot(filled, instance.slot) if instance.slot else filled


def filled(
    argv: Iterable[str], instance: Instance, address: Callable[[str], str]
) -> tuple[str, ...]:
    """Every word of a command, filled in."""
    return tuple(fill(word, instance, address) for word in argv)


def own_name(host: str) -> str:
    """The address of a host nobody gave another address."""
    return host
