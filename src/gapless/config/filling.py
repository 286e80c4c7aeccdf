"""``{host}`` and its siblings of an instance, filled into a text."""

from __future__ import annotations

import re
from collections.abc import Callable

from gapless.model import Instance
from gapless.places import machine_of, number_of
from gapless.supervisor.spec import filled as in_slot

_FIELD = re.compile(r"\{(host|name|service|address|number)\}")


def fill(template: str, instance: Instance, address: Callable[[str], str]) -> str:
    """``template`` with {host}, {name}, {service}, {address}, {number} and {slot} of the instance,
    and {slot:ONE|OTHER}: ONE in slot a, OTHER in slot b.

    Other braces stay as they are: a command may well hold JSON.
    """
    host = machine_of(instance.host)
    values = {
        "host": host,
        "name": host.partition(".")[0],
        "service": instance.service,
        "address": instance.address or address(host),
        "number": str(number_of(instance.host)),
    }
    filled = _FIELD.sub(lambda match: values[match.group(1)], template)
    return in_slot(filled, instance.slot) if instance.slot else filled
