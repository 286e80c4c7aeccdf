"""The openapi probe: asks every example of a description, and tells all that failed."""

from __future__ import annotations

import json
import time

from gapless.hostside.faults import Fault
from gapless.hostside.http_message import Malformed
from gapless.hostside.http_probe import Request
from gapless.hostside.matching import Expectation, UnreadablePattern
from gapless.hostside.openapi import Example, NotAsked, base_path, examples, like
from gapless.hostside.probes import FAIL, INCONCLUSIVE, PASS, one_line, trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

_TOLD = 120
_MOST_TOLD = 20


def ask_openapi(spec: dict[str, Any], limit: float, cancelled: threading.Event) -> dict[str, Any]:
    """Ask and judge; what could not be asked in time is told as not asked."""
    verdict = {"asked": f"the examples of {spec['spec']}", "wanted": "every example as described"}
    until = time.monotonic() + limit
    try:
        document = spec.get("document") or _fetched(spec)
        listed = list(examples(document))
        base = spec.get("base") or _origin(spec["spec"]) + base_path(document)
    except (OSError, Malformed, Fault, ValueError) as error:
        answer = f"no description: {trouble(error, spec['each'])}"
        return {**verdict, "status": FAIL, "answer": answer}
    except (AttributeError, TypeError, KeyError) as error:
        answer = f"what was answered is no OpenAPI description: {error!r}"
        return {**verdict, "status": INCONCLUSIVE, "answer": one_line(answer)}
    return {**verdict, **_asked(spec, base, listed, until, cancelled)}


def _asked(
    spec: dict[str, Any],
    base: str,
    listed: list[Any],
    until: float,
    cancelled: threading.Event,
) -> dict[str, Any]:
    left = [one.text for one in listed if isinstance(one, NotAsked)]
    wanted = [one for one in listed if isinstance(one, Example)]
    failed, asked = [], 0
    for example in wanted:
        words = f"{example.method.upper()} {example.path}"
        if time.monotonic() >= until or cancelled.is_set():
            left.append(f"{words} (no time left)")
            continue
        asked += 1
        missed = _missed(spec, base, example, max(min(spec["each"], until - time.monotonic()), 0.1))
        if missed:
            failed.append(f"{words} → {missed}")
    late = any("(no time left)" in one for one in left)
    status = FAIL if failed else INCONCLUSIVE if late or not asked else PASS
    parts = [f"{asked - len(failed)} of {asked} examples as described", *failed[:_MOST_TOLD]]
    if len(failed) > _MOST_TOLD:
        parts.append(f"{len(failed) - _MOST_TOLD} more failed")
    if left:
        parts.append("not asked: " + ", ".join(left[:_MOST_TOLD]) + _more(left))
    return {"status": status, "answer": "; ".join(parts)}


def _more(left: list[str]) -> str:
    return f" and {len(left) - _MOST_TOLD} more" if len(left) > _MOST_TOLD else ""


def _fetched(spec: dict[str, Any]) -> dict[str, Any]:
    request = {**spec, "url": spec["spec"], "method": "GET"}
    status, _, body = Request(request, spec["each"]).ask()
    if status != 200:
        raise Malformed(f"status {status}: {one_line(body)[:_TOLD]}")
    document = json.loads(body)
    if not isinstance(document, dict) or "paths" not in document:
        raise KeyError("paths")
    found: dict[str, Any] = document
    return found


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    cut = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return f"{scheme}://{rest[:cut]}"


def _missed(spec: dict[str, Any], base: str, example: Example, limit: float) -> str:
    """What is not as described; "" when all is."""
    headers = {**(spec.get("headers") or {}), **example.headers}
    request = Request(
        {
            **{key: spec[key] for key in ("ca", "insecure", "server_name") if key in spec},
            "url": base + example.path,
            "method": example.method.upper(),
            "headers": headers,
            "send": example.body,
        },
        limit,
    )
    expectation = Expectation(example.expect)
    try:
        status, found, body = request.ask()
        missed = expectation.misses(status, found, body)
        if "like" in example.expect and not _is_like(body, example.expect["like"]):
            missed.append(f"body like {one_line(json.dumps(example.expect['like']))[:_TOLD]}")
    except UnreadablePattern as error:
        return f"cannot judge: {error}"
    except (OSError, Malformed, Fault, ValueError) as error:
        return trouble(error, limit)
    return f"{one_line(f'{status} {body}')[:_TOLD]} (wanted {', '.join(missed)})" if missed else ""


def _is_like(body: str, wanted: Any) -> bool:
    try:
        return like(json.loads(body), wanted)
    except ValueError:
        return False
