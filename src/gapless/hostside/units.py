"""What systemd says about units, and what the journal holds of them."""

from __future__ import annotations

import os

from gapless.hostside.calls import Call
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.launch import run_brief

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TAIL_LIMIT = 64 * 1024
_WITHOUT = "give its services command: (start, stop, status) in place of systemd:"


def unit(call: Call) -> dict[str, str]:
    """The verb."""
    return show(call.args["name"], call.args["properties"])


def show(name: str, properties: list[str]) -> dict[str, str]:
    """Properties by one ``systemctl show``."""
    text = _ask(
        ["systemctl", "show", "--no-pager", "--property=" + ",".join(properties), "--", name]
    )
    shown: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key in properties:
            shown[key], last = value, key
        elif last:  # a value of several lines goes on
            shown[last] += "\n" + line
    return shown


def tail(call: Call) -> str:
    """The verb."""
    args: dict[str, Any] = call.args
    argv = ["journalctl", "--no-pager", "--quiet", "--output=short-iso", f"--lines={args['lines']}"]
    argv += [f"--since=@{int(args['since'])}", "--reverse"]  # unreversed, the oldest lines since
    if args["identity"]:
        # One incarnation: what it wrote itself, and what systemd wrote about it.
        which = args["identity"].replace("-", "")
        argv += [f"_SYSTEMD_INVOCATION_ID={which}", "+", f"INVOCATION_ID={which}"]
    else:
        argv += [f"--unit={args['unit']}"]
    return _oldest_first(_ask(argv))[-_TAIL_LIMIT:]


def _oldest_first(text: str) -> str:
    """Entries turned round; the further lines of an entry are indented, and stay behind its
    first."""
    entries: list[str] = []
    for line in text.splitlines(keepends=True):
        if line[:1].isspace() and entries:
            entries[-1] += line
        else:
            entries.append(line)
    return "".join(reversed(entries))


def _ask(argv: list[str]) -> str:
    try:
        done = run_brief(argv)
    except FileNotFoundError as error:
        raise _no_systemd(f"{argv[0]} is not on this host") from error
    except OSError as error:
        raise from_os_error(error, argv[0]) from error
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        complaint = done.stderr.decode("utf-8", "replace").strip()
        if not os.path.isdir("/run/systemd/system"):
            raise _no_systemd(complaint or text)
        raise Fault(f"{argv[0]} answered with exit {done.returncode}", evidence=complaint or text)
    return text


def _no_systemd(complaint: str) -> Fault:
    return Fault("this machine does not run systemd", evidence=complaint, hint=_WITHOUT)
