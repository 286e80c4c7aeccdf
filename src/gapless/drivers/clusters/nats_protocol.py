"""The text protocol of NATS as far as orders need it: one question written, its answer read. No
side effects.

1. A question goes in one piece: CONNECT, an inbox, what is ordered, PING, and an error of ours,
   after which the server closes: so the end of the connection is the end of the answer.
2. PONG is the proof that everything before it was taken. What the leader of a group does with an
   order it does before that, too; but it answers from another thread, so its reply may come too
   late to be read. A refusal that came is told, and silence means nothing: whether a leader has
   handed over is for the cluster to say.

Source: https://docs.nats.io/reference/reference-protocols/nats-protocol; what a client's own -ERR
does is in server/client.go (``processErr``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

OFFERS_TLS = r'^INFO \{.*"tls_(required|available)"\s*:\s*true'
"""What INFO looks like where TLS may begin right after it."""
_INBOX = "_INBOX.gapless"
_END = b"\r\n"
_BYE = b"-ERR 'gapless has asked all it wanted to know'\r\n"
_REFUSALS = ("Authorization", "Authentication", "Account", "Maximum", "Secure", "User ")
"""What a server begins its errors with that lets nobody in."""
_NO_INBOX = "Permissions Violation for Subscription"


class NonsenseError(ValueError):
    """What came is not NATS; its text is the evidence."""


@dataclass(frozen=True, slots=True)
class Order:
    """Something published to a subject."""

    subject: str
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Said:
    """``info`` is what the server tells whoever connects; ``taken``: it has read all that was said;
    ``errors``: in its own words; ``replies``: of those that it answered in time."""

    info: Mapping[str, Any]
    taken: bool = False
    errors: tuple[str, ...] = ()
    replies: tuple[bytes, ...] = field(default=())

    @property
    def shut_out(self) -> str:
        """Why it does not let us in; "" where it does."""
        return next((one for one in self.errors if one.startswith(_REFUSALS)), "")

    @property
    def refusal(self) -> str:
        """Why it did not do what was ordered, as far as it said so. Who may not listen for the
        answer may order all the same."""
        errors = (one for one in self.errors if not one.startswith(_NO_INBOX))
        refused = (_refusal(reply) for reply in self.replies)
        return next(errors, "") or next(filter(None, refused), "")


def question(login: tuple[str, ...], orders: tuple[Order, ...] = ()) -> bytes:
    """The bytes; ``login`` is a user and a password, () for nobody."""
    options: dict[str, Any] = {
        "verbose": False,
        "pedantic": False,
        "name": "gapless",
        "lang": "python",
        "version": "1",
        "protocol": 1,
        "headers": True,
        "no_responders": True,
    }
    if login:
        options |= {"user": login[0], "pass": login[1]}
    said = [b"CONNECT " + json.dumps(options).encode() + _END]
    if orders:
        said.append(f"SUB {_INBOX} 1\r\n".encode())
    for order in orders:
        head = f"PUB {order.subject} {_INBOX} {len(order.payload)}\r\n"
        said.append(head.encode() + order.payload + _END)
    return b"".join([*said, b"PING\r\n", _BYE])


def read(data: bytes) -> Said:
    """What came; what was cut off at the end is left out. Raises NonsenseError."""
    info: Mapping[str, Any] | None = None
    taken, errors, replies = False, [], []
    for verb, rest in _lines(data):
        if verb == "INFO":
            info = info or _info(rest, data)
        elif verb == "PONG":
            taken = True
        elif verb == "-ERR":
            errors.append(rest.decode("utf-8", "replace").strip().strip("'"))
        elif verb in ("MSG", "HMSG"):
            replies.append(rest)
        elif verb not in ("PING", "+OK"):
            raise NonsenseError(data[:200].decode("utf-8", "replace"))
    if data and info is None:
        raise NonsenseError(data[:200].decode("utf-8", "replace"))
    return Said(info or {}, taken, tuple(errors), tuple(replies))


def _lines(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Each verb with its line, or with the payload of its message."""
    place = 0
    while (end := data.find(_END, place)) >= 0:
        head, _, rest = data[place:end].partition(b" ")
        place, verb = end + len(_END), head.decode("latin-1").upper()
        if verb in ("MSG", "HMSG"):
            length = rest.split()[-1]
            if not length.isdigit():
                raise NonsenseError(data[:200].decode("utf-8", "replace"))
            rest, place = data[place : place + int(length)], place + int(length) + len(_END)
            if place > len(data):
                return
        yield verb, rest


def _info(text: bytes, data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NonsenseError(data[:200].decode("utf-8", "replace"))
    return found


def _refusal(reply: bytes) -> str:
    """In the words of the server; "" for consent, and for what cannot be understood."""
    if reply.startswith(b"NATS/1.0 503"):
        return "nobody in that account answers for JetStream"
    try:
        error = json.loads(reply)["error"]
        return str(error.get("description") or error)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
