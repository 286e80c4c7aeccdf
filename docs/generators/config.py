"""``config.md``: every key of gapless.yaml, from the models that read it."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from docs.generators.markdown import anchor, code, page, prose, table
from gapless.config import (
    api_url,
    cluster_redis,
    git_url,
    health,
    ordering,
    process,
    process_service,
    quantities,
    server,
    templates,
    verify_rates,
)
from gapless.config.addresses import CHECK_FIELDS, COMMAND_FIELDS
from gapless.config.balancers import kinds
from gapless.config.base import Section
from gapless.config.descriptions import descriptions
from gapless.config.placeholders import spelled
from gapless.config.project import ProjectConfig
from gapless.config.signals import signal_name
from gapless.config.variables import FACTS, SECRETS
from gapless.config.verify_rates import RATE_KINDS

_TITLES = {
    "ProjectConfig": "Top level",
    "HostConfig": "hosts.NAME",
    "HostGroupConfig": "groups.NAME",
    "DefaultsConfig": "defaults",
    "HealthTimings": "defaults.health",
    "RolloutConfig": "services.NAME.rollout",
    "GroupConfig": "services.NAME.rollout.groups",
    "ShareConfig": "services.NAME.rollout.shift",
    "BalancerConfig": "balancers.NAME",
    "ServiceConfig": "services.NAME",
    "SystemdConfig": "services.NAME.systemd",
    "ProcessRuntimeConfig": "services.NAME.process",
    "ComposeConfig": "services.NAME.compose",
    "HandoverConfig": "services.NAME.handover",
    "BudgetConfig": "services.NAME.handover.budget",
    "ClusterConfig": "services.NAME.cluster",
    "EtcdClusterConfig": "services.NAME.cluster.etcd",
    "RabbitClusterConfig": "services.NAME.cluster.rabbitmq",
    "RabbitLoginConfig": "services.NAME.cluster.rabbitmq.login",
    "ChronikConfig": "services.NAME.cluster.chronik",
    "HttpClusterConfig": "services.NAME.cluster.http",
    "HttpMembersConfig": "services.NAME.cluster.http.members",
    "HttpGroupsConfig": "services.NAME.cluster.http.groups",
    "HttpCallConfig": "services.NAME.cluster.http.transfer",
    "CommandClusterConfig": "services.NAME.cluster.command",
    "ClusterOrderConfig": "services.NAME.cluster.command.transfer",
    "RedisSentinelConfig": "services.NAME.cluster.redis_sentinel",
    "RedisClusterConfig": "services.NAME.cluster.redis_cluster",
    "PatroniConfig": "services.NAME.cluster.patroni",
    "PatroniLoginConfig": "services.NAME.cluster.patroni.login",
    "NatsClusterConfig": "services.NAME.cluster.nats",
    "ZooKeeperConfig": "services.NAME.cluster.zookeeper",
    "KafkaConfig": "services.NAME.cluster.kafka",
    "KafkaTlsConfig": "services.NAME.cluster.kafka.tls",
    "KafkaLoginConfig": "services.NAME.cluster.kafka.sasl",
    "NatsLoginConfig": "services.NAME.cluster.nats.system",
    "DockerConfig": "services.NAME.docker",
    "CommandRuntimeConfig": "services.NAME.command",
    "HealthConfig": "services.NAME.health",
    "HttpCheck": "services.NAME.health.http",
    "Expect": "services.NAME.health.expect",
    "VerifyConfig": "services.NAME.verify",
    "EndpointsConfig": "services.NAME.verify.endpoints",
    "EndpointCheck": "services.NAME.verify.endpoints.ask",
    "OpenapiConfig": "services.NAME.verify.openapi",
    "LevelConfig": "services.NAME.verify.level",
    **{kind.__name__: f"services.NAME.verify.{key}" for key, kind in RATE_KINDS.items()},
    "ReleaseConfig": "services.NAME.release",
    "SchemaConfig": "services.NAME.release.schema",
    "BuildConfig": "services.NAME.release.build",
    "GitSshConfig": "services.NAME.release.ssh",
    "ConfigFileConfig": "services.NAME.config",
    "MigrateConfig": "services.NAME.migrate",
    "WarmConfig": "services.NAME.warm",
    "SinkConfig": "events",
    "WebhookConfig": "events.webhook",
    "ProveConfig": "prove",
    "WorkloadConfig": "prove.workloads.NAME",
    "WorkloadWriteConfig": "prove.workloads.NAME.write",
    "WorkloadReadConfig": "prove.workloads.NAME.read",
    "WorkloadRemoveConfig": "prove.workloads.NAME.remove",
    "ProcessConfig": "Top level",
    "ListenConfig": "listen",
    "ProxyConfig": "proxy",
    "ReadyConfig": "ready",
    "StopConfig": "stop",
    "ApiTlsConfig": "balancers.NAME.….tls",
    "EtcdLoginConfig": "balancers.NAME.etcd.login",
    "EtcdVerifyConfig": "balancers.NAME.etcd.verify",
    "HaproxyDynamicConfig": "balancers.NAME.haproxy.dynamic",
    "TraefikLabelsConfig": "balancers.NAME.traefik_labels",
    **{driver.__name__: f"balancers.NAME.{kind}" for kind, driver in kinds().items()},
}

_WORDS: tuple[tuple[Any, str], ...] = (
    (quantities.Duration, "duration"),
    (quantities.Limit, "duration, not 0"),
    (quantities.Amount, "number or share"),
    (ordering.Canary, "number, share, or names"),
    (ordering.Then, "duration or `approve`"),
    (quantities.Argv, "command"),
    (quantities.Secret, "secret reference"),
    (quantities.SecretUrl, "URL or secret reference"),
    (api_url.ApiUrl, "address"),
    (cluster_redis.Address, "address or path of a socket"),
    (git_url.GitUrl, "path or address"),
    (git_url.GitRef, "branch, tag or commit"),
    (quantities.Names, "name or list of names"),
    (quantities.Flag, "`true` or `false`"),
    (quantities.Count, "whole number"),
    (quantities.Positive, "whole number from 1"),
    (quantities.Port, "port number"),
    (templates.FileMode, "octal number"),
    (health.Pattern, "regular expression"),
    (health.Status, "HTTP status or list of them"),
    (verify_rates.LogPattern, "regular expression"),
    (verify_rates.Selector, "counter of Prometheus"),
    (server.ServerUrl, "URL"),
    (process.Signal, "signal"),
    (process.Catchable, "signal"),
    (process.Replacement, "signal or `ignore`"),
    (process.Octal, "octal number"),
    (process.ListenAddress, "address"),
    (process.StreamAddress, "address"),
    (process.Forward, "address, or mapping of `a` and `b`"),
    (process.HttpTarget, "address and path"),
    (process.TcpTarget, "address"),
    (process.UnixTarget, "path"),
    (process.Value, "text"),
    (process.LimitPair, "limit"),
    (process_service.Account, "name or number"),
    (process.Probe, "`tcp`, `unix` or `true`"),
    (str, "text"),
    (int, "whole number"),
    (float, "number"),
    (bool, "`true` or `false`"),
    (Any, "any value"),
)

_INTRO = """
Every key of `gapless.yaml`. A key without a default is required.
`gapless schema` prints the same as a JSON Schema for your editor.

## How values are written

- **duration**: a number with its unit: `500ms`, `30s`, `5m`, `1h30m`, `1d`. A number without a
  unit is refused (`0` is allowed).
- **number or share**: a number of instances (`2`) or a share of them (`25%`, rounded down).
- **command**: a line (`pg_isready -h localhost`) or a list of words. It is split into words as a
  shell splits them, and never given to a shell. Pipes and variables need `sh -c`.
- **secret reference**: `env:NAME`, `file:/path` or `command:program arguments`. Never the value.
- **name or list of names**: `web`, or `[web, db]`.
- `on:` takes host names, groups, ranges (`web[1:4].example`) and `all`.
- Only `true` and `false` are booleans. `yes`, `on` and `010` are text.
- Keys at the top level that begin with `x-` are ignored: a place for YAML anchors.

`environments:` holds overlays by name. `-e NAME` lays one over the rest of the file: mappings are
merged, lists and values replace, `null` removes. See [Environments](../how-to/environments.md).
"""


_PLACEHOLDERS = """
## Placeholders

*Checks* are `health`, `warm` and what `verify` asks. *Commands and balancers* are the commands of a
service, the keys of balancers and the queries of `verify` that say so. An unknown placeholder in a
check is refused; in a command other braces stay as they are, and what is close to a placeholder is
refused.

"""
_MEANT = {
    "host": "name of the host in the file",
    "name": "its first label",
    "address": "where it is reached",
    "service": "name of the service",
    "instance": "`SERVICE@HOST`",
    "release": "name of the release",
    "number": "which of several instances on a host, from 1",
    "slot": "`a` or `b`, where two copies may be beside each other; `{slot:ONE|OTHER}` is ONE or"
    " OTHER",
}


def generate() -> str:
    """The whole page."""
    return page(
        "Configuration",
        _INTRO,
        _placeholders(),
        *(section(model) for model in sections(ProjectConfig)),
    )


def _placeholders() -> str:
    """What may stand where, from the lists of the code that fills it in."""
    rows = [
        (
            code(f"{{{field}}}"),
            _MEANT[field],
            _yes(field in CHECK_FIELDS),
            _yes(field in COMMAND_FIELDS),
        )
        for field in dict.fromkeys((*CHECK_FIELDS, *COMMAND_FIELDS))
    ]
    facts = ", ".join(code(fact) for fact in FACTS)
    return (
        _PLACEHOLDERS
        + table(("placeholder", "is", "in checks", "in commands and balancers"), rows)
        + f"\n\nTemplates of `config` know these names: {facts}, `{SECRETS}.NAME`, and `variables`."
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def sections(model: type[Section]) -> Iterator[type[Section]]:
    """The model and every section inside it, each once, in reading order."""
    seen: dict[type[Section], None] = {}

    def visit(one: type[Section]) -> None:
        if one in seen:
            return
        seen[one] = None
        for hint in _hints(one).values():
            for inner in _sections_in(hint):
                visit(inner)

    visit(model)
    yield from seen


def keys(model: type[Section]) -> Iterator[tuple[str, FieldInfo, Any]]:
    """Key as written in the file, field, and type, of each field of a section."""
    hints = _hints(model)
    for name, field in model.model_fields.items():
        yield field.alias or name, field, hints[name]


def title(model: type[Section]) -> str:
    """The heading of a section: where in the file it stands."""
    return _TITLES[model.__name__]


def section(model: type[Section]) -> str:
    """Its heading and the table of its keys."""
    said = descriptions(model).values()
    rows = [
        (code(key), _type(hint), _default(field, hint), prose(text))
        for (key, field, hint), text in zip(keys(model), said, strict=True)
        if (model, key) != (ProjectConfig, "environment")
    ]
    about = prose(spelled(model.__doc__ or ""))
    heading = title(model)
    return f"## {heading}\n\n{about}\n\n" + table(("key", "type", "default", "meaning"), rows)


def _hints(model: type[Section]) -> dict[str, Any]:
    return {
        name: hint
        for name, hint in get_type_hints(model, include_extras=True).items()
        if name in model.model_fields
    }


def _sections_in(hint: Any) -> Iterator[type[Section]]:
    if isinstance(hint, type) and issubclass(hint, Section):
        yield hint
    for part in get_args(hint):
        yield from _sections_in(part)


def _type(hint: Any) -> str:
    for known, word in _WORDS:
        if hint is known:
            return word
    if isinstance(hint, type) and issubclass(hint, Section):
        return f"[{title(hint)}](#{anchor(title(hint))})"
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        many = any(isinstance(mark, quantities.OneOrMany) for mark in parts[1:])
        return _type(parts[0]) if not many else f"{_type(get_args(parts[0])[0])}, or a list of them"
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in parts if part is not type(None)))
    if origin is Literal:
        return " or ".join(code(value) for value in parts)
    if origin is dict:
        return f"mapping of name to {_type(parts[1])}"
    if origin is tuple:
        one = _type(parts[0])
        return f"list of {one}" if len(parts) == 2 and parts[1] is ... else f"{len(parts)} × {one}"
    raise TypeError(f"no words for {hint!r}")


def _default(field: FieldInfo, hint: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}, "") or isinstance(value, Section):
        return "–"
    if isinstance(value, bool):
        return code(str(value).lower())
    if hint in (quantities.Duration, quantities.Limit):
        return code(quantities.format_duration(value))
    if hint in (process.Signal, process.Catchable):
        return code(signal_name(value))
    return code(f"{value:g}" if isinstance(value, float) else str(value))
