"""Which sink a configuration means: one line a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gapless.clock import Clock
from gapless.config.project import SinkConfig, WebhookConfig
from gapless.drivers.sinks.base import Sink
from gapless.drivers.sinks.command import CommandSink
from gapless.drivers.sinks.compat import CompatSink
from gapless.drivers.sinks.jsonl import JsonlSink
from gapless.drivers.sinks.prometheus_textfile import PrometheusTextfileSink


def _webhook(config: WebhookConfig, clock: Clock) -> Sink:
    from gapless.drivers.sinks.webhook import WebhookSink  # an HTTP client

    return WebhookSink(config.url, config.secret, config.timeout, clock)


SINKS: Mapping[str, Callable[..., Sink]] = {
    "jsonl": lambda path, clock: JsonlSink(path),
    "compat": lambda path, clock: CompatSink(path),
    "command": lambda argv, clock: CommandSink(argv),
    "webhook": _webhook,
    "prometheus_textfile": lambda path, clock: PrometheusTextfileSink(path),
}
"""By key in gapless.yaml."""


def make_sink(config: SinkConfig, clock: Clock) -> Sink:
    """The one sink of an entry of ``events:``."""
    for kind, make in SINKS.items():
        value = getattr(config, kind)
        if value is not None:
            return make(value, clock)
    raise ValueError("an entry of events: without a kind")  # the model does not let it through
