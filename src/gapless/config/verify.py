"""``verify:`` — the evidence that is asked for once a new instance serves."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from gapless.config.base import Section
from gapless.config.health import HealthConfig, HttpCheck
from gapless.config.judging import JudgeConfig
from gapless.config.quantities import Secret
from gapless.config.server import ServerUrl
from gapless.config.verify_levels import LevelConfig
from gapless.config.verify_rates import (
    RATE_KINDS,
    BalancerErrorsConfig,
    ElasticsearchConfig,
    GraphiteConfig,
    LogsConfig,
    LokiConfig,
    PrometheusConfig,
)


class EndpointCheck(HttpCheck):
    """One address that is asked, or a path below ``base``."""

    body: str | None = None
    """What is sent with a POST."""


class EndpointsConfig(Section):
    """Addresses that are all asked; one wrong answer fails the instance, and all are told."""

    base: ServerUrl | None = None
    """What paths are added to, as ``http://{host}:7231``; <check fields> are filled in."""
    ask: tuple[EndpointCheck, ...]
    """Paths and URLs, each alone or as a mapping with url, method, headers, expect …"""

    @field_validator("ask", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        listed = value if isinstance(value, (list, tuple)) else (value,)
        return tuple({"url": one} if isinstance(one, str) else one for one in listed)

    @model_validator(mode="after")
    def _askable(self) -> Self:
        if not self.ask:
            raise ValueError("endpoints asks nothing; list paths or URLs")
        for check in self.ask:
            if check.url.startswith("/") and self.base is None:
                raise ValueError(f"'{check.url}' is a path; give base: http://{{host}}:PORT")
        return self

    @property
    def checks(self) -> tuple[EndpointCheck, ...]:
        """What is asked, each with its whole URL."""
        base = self.base or ""
        return tuple(
            check.model_copy(update={"url": base + check.url})
            if check.url.startswith("/")
            else check
            for check in self.ask
        )


class OpenapiConfig(Section):
    """The examples of an OpenAPI description (``x-amples``, or examples of the parameters of GET).
    What cannot be asked for want of an example is listed as not asked."""

    spec: str
    """URL of the description on the instance, as ``http://{host}:7231/?spec`` (JSON), or a file on
    the machine gapless runs on (YAML or JSON); <check fields> are filled in."""
    base: ServerUrl | None = None
    """What the paths in it are added to; default: what it says itself."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers sent with every request; what must stay secret belongs to secrets."""
    secrets: dict[str, Secret] = Field(default_factory=dict)
    """Headers read from env:, file: or command: at the moment of use."""

    @model_validator(mode="before")
    @classmethod
    def _url(cls, data: Any) -> Any:
        return {"spec": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _askable(self) -> Self:
        if not self.is_url and self.base is None:
            raise ValueError("a file does not say where to ask; give base: http://{host}:PORT")
        return self

    @property
    def is_url(self) -> bool:
        """Whether the instance itself gives the description."""
        return self.spec.startswith(("http://", "https://"))


KINDS = ("endpoints", "openapi", "level", *RATE_KINDS)
"""Keys of a verify entry besides those of health."""


class VerifyConfig(HealthConfig):
    """What is asked before a balancer admits the instance and again after the soak: a check as in
    health, or exactly one of the other kinds. Kinds with a number of errors are looked at from the
    switch on until they are judged."""

    endpoints: EndpointsConfig | None = None
    """A list of paths and URLs, or a mapping of base and ask."""
    openapi: OpenapiConfig | None = None
    """URL or file of a description whose examples are asked, or a mapping."""
    logs: LogsConfig | None = None
    """Errors in the journal or in files of each host."""
    prometheus: PrometheusConfig | None = None
    """Counters in Prometheus."""
    graphite: GraphiteConfig | None = None
    """Series in Graphite."""
    elasticsearch: ElasticsearchConfig | None = None
    """Documents in Elasticsearch or OpenSearch."""
    loki: LokiConfig | None = None
    """Lines in Loki."""
    balancer_errors: BalancerErrorsConfig | None = None
    """5xx answers as the balancers count them."""
    level: LevelConfig | None = None
    """A number that has to come back to what it was, as a latency or a lag."""

    @field_validator("endpoints", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return {"ask": value} if isinstance(value, (str, list, tuple)) else value

    @field_validator("balancer_errors", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"balancer": value} if isinstance(value, (str, list, tuple)) else value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        asked = [*self.questions, *kinds]
        if len(asked) > 1:
            raise ValueError(f"{' and '.join(asked)} are two checks; give a list of verify entries")
        return self

    @property
    def kind(self) -> str:
        """Which of the kinds it is; "" for a check as in health."""
        return next((kind for kind in KINDS if getattr(self, kind) is not None), "")

    @property
    def judge(self) -> JudgeConfig | None:
        """How its errors become a verdict; None where there is nothing to count."""
        found = getattr(self, self.kind) if self.kind in RATE_KINDS else None
        return found if isinstance(found, JudgeConfig) else None

    @property
    def secret_references(self) -> tuple[str, ...]:
        """Every secret that asking it needs."""
        sections: list[Any] = [self.http_check, *(self.endpoints.ask if self.endpoints else ())]
        sections += [getattr(self, kind) for kind in KINDS if kind != "endpoints"]
        return tuple(r for one in sections for r in getattr(one, "secrets", {}).values())
