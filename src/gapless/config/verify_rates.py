"""What errors can be counted from after a restart: logs, metrics, indexes, the balancer itself."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from gapless.config.health import parse_pattern
from gapless.config.judging import JudgeConfig
from gapless.config.quantities import Duration, Limit, Names
from gapless.config.server import ServerConfig
from gapless.config.slow_patterns import trap

_SELECTOR = re.compile(r"(?:[a-zA-Z_:][a-zA-Z0-9_:]*\s*(?:\{.*\})?|\{.+\})", re.DOTALL)
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"


def parse_log_pattern(value: Any) -> Any:
    """A regular expression that compiles and cannot take for ever on a line."""
    parse_pattern(value)
    if isinstance(value, str) and (part := trap(value)):
        raise ValueError(
            f"{value!r} may take for ever on one line: {part} repeats what repeats; write it flat"
        )
    return value


LogPattern = Annotated[str, BeforeValidator(parse_log_pattern)]
"""A regular expression that is searched for in every line of a log."""


def parse_selector(value: Any) -> Any:
    """A counter as it is, so that the first errors of a new process are seen."""
    if isinstance(value, str) and not _SELECTOR.fullmatch(value.strip()):
        raise ValueError(
            f"{value!r} is not a counter; write its name and labels, as "
            'http_errors_total{instance="{address}:9100"}, without rate(), sum() or [5m]'
        )
    return value


Selector = Annotated[str, BeforeValidator(parse_selector)]
"""A counter of Prometheus by name and labels."""


class SourceConfig(JudgeConfig, ServerConfig):
    """A server that counts errors."""


class LogsConfig(JudgeConfig):
    """Lines that tell of errors, read on each host: incidents, for the same message within two
    seconds is one, and so are all lines of a traceback."""

    unit: Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.@\\-]{1,255}$")] | None = None
    """Unit whose journal is read; default: the one of the service."""
    journal: str | None = None
    """Folder whose journal files are read in place of the host's own, as ``journalctl -D`` does."""
    files: Names = ()
    """Files in place of the journal; \\* is filled in, and so are <command fields>."""
    level: Literal["warning", "error", "fatal", "none"] = "error"
    """Lines of this level and above are counted; ``none``: those of patterns only."""
    patterns: dict[Annotated[str, Field(pattern=_NAME)], LogPattern] = Field(default_factory=dict)
    """Name to a regular expression; lines that contain it are counted apart, whatever their
    level."""
    ignore: tuple[LogPattern, ...] = ()
    """Regular expressions of lines that are not counted at all."""
    answer: Limit = 20.0
    """How long one reading may take on the host."""

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if self.level == "none" and not self.patterns:
            raise ValueError("level: none without patterns counts nothing")
        if (self.unit or self.journal) and self.files:
            raise ValueError("unit and files are two logs; give a list of verify entries")
        paths = (*self.files, *((self.journal,) if self.journal else ()))
        if relative := [path for path in paths if not path.startswith("/")]:
            raise ValueError(f"'{relative[0]}' must be an absolute path on the host")
        return self


class PrometheusConfig(SourceConfig):
    """Counters in Prometheus. They are read as they are, for ``rate()`` and ``increase()`` do not
    see what a new process counted before it was first asked."""

    errors: Selector
    """Counter of errors on one host, by name and labels; <command fields> are filled in."""
    total: Selector | None = None
    """Counter of all requests that the errors are a part of."""


class GraphiteConfig(SourceConfig):
    """Series in Graphite whose points are counts, as statsd writes them."""

    errors: str
    """Target whose points are added up, as ``sumSeries(stats_counts.shop.{name}.5xx)``;
    <command fields> are filled in."""
    total: str | None = None
    """Target of all requests that the errors are a part of."""


class ElasticsearchConfig(SourceConfig):
    """Documents in Elasticsearch or OpenSearch."""

    index: str = "logstash-*"
    """Index, alias or pattern that is searched."""
    errors: str
    """Query string of errors on one host, as ``host:"{name}" AND level:(ERROR OR FATAL)``;
    <command fields> are filled in."""
    total: str | None = None
    """Query string of all requests that the errors are a part of."""
    alive: str | None = None
    """Query string of anything the host logs: without a hit there is no data, not no errors."""
    time: str = "@timestamp"
    """Field with the time of a document."""
    message: str | None = "message.keyword"
    """Field by which the most frequent messages are found; null: none."""
    delay: Duration = 10.0
    """How long a document may take until it is found; younger ones wait for the next look."""

    @model_validator(mode="after")
    def _seen_alive(self) -> Self:
        if self.total is None and self.alive is None:
            raise ValueError("give total or alive: no hit of errors alone says nothing")
        return self


class LokiConfig(SourceConfig):
    """Lines in Loki."""

    errors: str
    """LogQL of the lines that are errors on one host, as ``{host="{name}"} |= "ERROR"``;
    <command fields> are filled in, other braces stay."""
    total: str | None = None
    """LogQL of the lines that are requests, where there is one for each."""
    alive: str | None = None
    """LogQL of anything the host logs; default: the streams of errors without its filters."""
    delay: Duration = 10.0
    """How long a line may take until it is found; younger ones wait for the next look."""


class BalancerErrorsConfig(JudgeConfig):
    """Requests and 5xx answers of each instance, as the service's balancers count them."""

    balancer: Names = ()
    """Balancers that are asked; default: all of the service that count."""


RATE_KINDS: dict[str, type[JudgeConfig]] = {
    "logs": LogsConfig,
    "prometheus": PrometheusConfig,
    "graphite": GraphiteConfig,
    "elasticsearch": ElasticsearchConfig,
    "loki": LokiConfig,
    "balancer_errors": BalancerErrorsConfig,
}
"""Keys of a verify entry that count errors."""
