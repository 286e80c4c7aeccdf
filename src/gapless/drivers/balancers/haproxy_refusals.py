"""What HAProxy means by an answer that is not the one wanted."""

from __future__ import annotations

from gapless.config.balancer_haproxy import HaproxyConfig
from gapless.errors import TrafficError


def refused(answer: str, balancer: str, node: str, config: HaproxyConfig) -> TrafficError:
    """The error in it; the answer itself is the evidence."""
    backend = config.backend
    what, hint = f"HAProxy on {node} answers nonsense", "is this its admin socket?"
    if "Permission denied" in answer:
        what = f"HAProxy on {node} does not allow orders on {config.socket}"
        hint = "give the socket 'level admin' in haproxy.cfg"
    elif "No such proxy" in answer or "find backend" in answer or "No such backend" in answer:
        what = f"HAProxy on {node} has no backend {backend!r}"
        hint = "compare 'backend' in gapless.yaml with haproxy.cfg"
    elif "No such server" in answer:
        what = f"HAProxy on {node} lost the server"
        hint = f"look at backend {backend!r} in haproxy.cfg"
    elif "add server" in answer or "keyword" in answer or "dynamic" in answer:
        what = f"HAProxy on {node} does not add the server"
        hint = "compare 'dynamic' in gapless.yaml with what this HAProxy takes after add server"
    return TrafficError(what, where=balancer, evidence=answer.strip()[:500] or "(empty)", next=hint)
