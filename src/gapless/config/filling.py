"""``{host}`` and its siblings of an instance, filled into a text."""

from __future__ import annotations

import re
from collections.abc import Callable

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
