"""The verbs: which function answers which. Modules are imported when first asked for."""

from __future__ import annotations

from importlib import import_module

from gapless.hostside.calls import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WHERE = {
    "act": "actions",
    "settle": "actions",
    "unit": "units",
    "tail": "units",
    "ask": "soak",
    "watch": "soak",
    "exchange": "exchange",
    "replace": "replacing",
    "claim": "claims",
    "release": "claims",
    "holder": "claims",
    "recall": "memory",
    "remember": "memory",
    "facts": "facts",
    "logs": "logs",
    "containers": "containers",
    "keep": "keeping",
}


def answer(call: Call) -> Any:
    """The result of a call. Raises Fault, OSError, or whatever a bug raises."""
    if call.verb == "run":
        return run(call)
    if call.verb in ("put", "get", "digest"):
        files = import_module("gapless.hostside.files")
        return getattr(files, call.verb)(call.args)
    module = import_module("gapless.hostside." + _WHERE[call.verb])
    return getattr(module, call.verb)(call)


def run(call: Call) -> dict[str, Any]:
    """Run a command that dies with the session."""
    from gapless.hostside.processes import Execution

    report = Execution(call.args, call.cancelled).run()
    call.check()
    return report
