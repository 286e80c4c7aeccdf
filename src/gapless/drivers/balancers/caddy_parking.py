"""Upstreams that are out of traffic but stay in Caddy: parked inside the handler they belong to.

A handler may say what to do with certain answers of its upstreams (``handle_response``). One such
rule, for a status that no answer has, holds a route for each upstream that is out. Nothing ever
reaches it. But Caddy goes on counting what is open to the upstream, whoever reads the handler sees
what was taken out and from where, and one change of the handler moves an upstream there or back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NEVER = 999
"""A status that HTTP does not have."""
_MARK = "gapless-out"

Handler = Mapping[str, Any]


def parked(handler: Handler) -> tuple[str, ...]:
    """The addresses that are out."""
    return tuple(str(upstream.get("dial", "")) for _, upstream in _spaces(handler))


def without(handler: Handler, dial: str, path: str) -> dict[str, Any]:
    """The handler with an address moved out of traffic. ``path``: where the handler is."""
    upstreams = list(handler.get("upstreams") or [])
    gone = [(place, one) for place, one in enumerate(upstreams) if one.get("dial") == dial]
    stay = [one for one in upstreams if one.get("dial") != dial]
    others = [space for space in _spaces(handler) if space[1].get("dial") != dial]
    return _parking({**handler, "upstreams": stay}, [*others, *gone], path)


def back(handler: Handler, dial: str, path: str) -> dict[str, Any]:
    """The handler with an address in traffic again, each of its upstreams where it was as far as
    that place is there."""
    upstreams, others = list(handler.get("upstreams") or []), []
    for place, upstream in _spaces(handler):
        if upstream.get("dial") == dial:
            upstreams.insert(place, upstream)
        else:
            others.append((place, upstream))
    return _parking({**handler, "upstreams": upstreams}, others, path)


def added(handler: Handler, dial: str, path: str) -> dict[str, Any]:
    """The handler with one more address out of traffic; its place would be the last."""
    place = len(handler.get("upstreams") or [])
    return _parking(dict(handler), [*_spaces(handler), (place, {"dial": dial})], path)


def removed(handler: Handler, dial: str, path: str) -> dict[str, Any]:
    """The handler without an address that is out of traffic."""
    others = [space for space in _spaces(handler) if space[1].get("dial") != dial]
    return _parking(dict(handler), others, path)


def _spaces(handler: Handler) -> list[tuple[int, Mapping[str, Any]]]:
    """What is parked, with the place it had. Raises ValueError when somebody wrote there."""
    rule = next(filter(_is_ours, handler.get("handle_response") or []), None)
    if rule is None:
        return []
    try:
        return [
            (int(str(route["@id"]).removeprefix(f"{_MARK}-").split("-")[0]), upstream)
            for route in rule["routes"]
            for upstream in route["handle"][0]["upstreams"]
        ]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not what was parked: {rule}") from error


def _parking(
    handler: dict[str, Any], spaces: Sequence[tuple[int, Mapping[str, Any]]], path: str
) -> dict[str, Any]:
    rules = [rule for rule in handler.pop("handle_response", []) if not _is_ours(rule)]
    if spaces:
        owner = path.strip("/").replace("/", ".")
        routes = [_route(f"{number}-{owner}", *space) for number, space in enumerate(spaces)]
        rules.append({"match": {"status_code": [_NEVER]}, "routes": routes})
    return {**handler, "handle_response": rules} if rules else handler


def _route(name: str, place: int, upstream: Mapping[str, Any]) -> dict[str, Any]:
    """An ``@id`` is the one thing that may be written anywhere; no two may be the same."""
    proxy = {"handler": "reverse_proxy", "upstreams": [upstream]}
    return {"@id": f"{_MARK}-{place}-{name}-{upstream.get('dial', '')}", "handle": [proxy]}


def _is_ours(rule: Any) -> bool:
    match = rule.get("match") if isinstance(rule, dict) else None
    return isinstance(match, dict) and match.get("status_code") == [_NEVER]
