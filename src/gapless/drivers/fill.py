"""Names and commands of a balancer or a service with an instance filled in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from gapless.model import Instance

_FIELD = re.compile(r"\{(host|name|service|address)\}")


def fill(template: str, instance: Instance, address: Callable[[str], str]) -> str:
    """``template`` with {host}, {name}, {service} and {address} of the instance.

    Other braces stay as they are: a command may well hold JSON.
    """
    values = {
        "host": instance.host,
        "name": instance.host.partition(".")[0],
        "service": instance.service,
        "address": address(instance.host),
    }
    return _FIELD.sub(lambda match: values[match.group(1)], template)


def filled(
    argv: Iterable[str], instance: Instance, address: Callable[[str], str]
) -> tuple[str, ...]:
    """Every word of a command, filled in."""
    return tuple(fill(word, instance, address) for word in argv)


def own_name(host: str) -> str:
    """The address of a host nobody gave another address."""
    return host
