"""What a shell completes besides verbs and options: services, hosts, rollouts.

Nothing is checked, no host is asked and no model is imported: completion has to be quick, and to be
silent when something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

MOST_HOSTS = 200
"""Names a range is written out to; of a larger one the range itself is offered."""

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_services(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of services."""
    names = _section(ctx, "services")
    return [CompletionItem(name) for name in names if str(name).startswith(incomplete)]


def complete_hosts(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Groups and hosts; of ``web1,!we`` the last word."""
    before, comma, last = incomplete.rpartition(",")
    bang = "!" if last.startswith("!") else ""
    start = before + comma + bang
    word = last[len(bang) :]
    names = dict.fromkeys(_host_words(_section(ctx, "hosts")))
    return [CompletionItem(start + name) for name in names if name.startswith(word)]


def complete_instances(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Instances of services that have a balancer: where the file puts them, and host by host."""
    hosts = _section(ctx, "hosts")
    known = frozenset(_host_words(dict.fromkeys(hosts)))
    names = (
        f"{service}@{place}"
        for service, settings in _section(ctx, "services").items()
        if isinstance(settings, dict) and settings.get("balancer")
        for host in _places(settings.get("on", settings.get(_ON)), hosts)
        for place in (host, *(f"{host}/{n}" for n in _numbers(settings) if host in known))
    )
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _numbers(settings: Mapping[str, Any]) -> range:
    """Of the instances on a host; none where there is but one."""
    kinds = (settings.get("compose"), settings.get("systemd"))
    found = [one.get("replicas") for one in kinds if isinstance(one, dict)]
    return next((range(1, n + 1) for n in found if isinstance(n, int) and n > 1), range(0))


_ON: Any = True
"""What a plain reader of YAML takes ``on`` for."""


def _places(on: Any, hosts: Mapping[str, Any]) -> Iterator[str]:
    """The words after ``on:``, then each host that they mean."""
    words = [str(word) for word in (on if isinstance(on, list) else [on]) if word]
    yield from words
    for pattern, settings in hosts.items():
        groups = settings.get("groups") if isinstance(settings, dict) else None
        named = [groups] if isinstance(groups, str) else groups or []
        if {str(pattern), "all", *map(str, named)}.intersection(words):
            yield from _host_words({pattern: None})


def complete_rollouts(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Ids of rollouts, newest first."""
    return _rollouts(ctx, incomplete, only_open=False)


def complete_open_rollouts(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Ids of rollouts that are not over."""
    return _rollouts(ctx, incomplete, only_open=True)


def complete_environments(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of environments."""
    names = _section(ctx, "environments")
    return [CompletionItem(name) for name in names if str(name).startswith(incomplete)]


def complete_promotable(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Services where --from is said, else rollouts that are not over."""
    if ctx.params.get("source"):
        return complete_services(ctx, param, incomplete)
    return complete_open_rollouts(ctx, param, incomplete)


def complete_targets(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What can be taken back: services and rollouts."""
    services = complete_services(ctx, param, incomplete)
    return [*services, *complete_rollouts(ctx, param, incomplete)]


def _rollouts(ctx: click.Context, incomplete: str, *, only_open: bool) -> list[CompletionItem]:
    from gapless.engine.rollout_ids import rollout_ids
    from gapless.engine.state_home import project_folder

    project = _config(ctx).get("project")
    if not isinstance(project, str):
        return []
    found = rollout_ids(project_folder(project, ctx.params.get("environment")))
    return [
        CompletionItem(rollout.id, help=rollout.about)
        for rollout in found
        if rollout.id.startswith(incomplete) and (rollout.open or not only_open)
    ]


def _host_words(hosts: Mapping[str, Any]) -> Iterator[str]:
    """Groups first: they are the shortest way to say something."""
    from gapless.config.ranges import expand

    for settings in hosts.values():
        groups = settings.get("groups") if isinstance(settings, dict) else None
        yield from map(str, [groups] if isinstance(groups, str) else groups or ())
    for pattern in hosts:
        try:
            names = expand(str(pattern))
        except ValueError:
            continue
        yield from names if len(names) <= MOST_HOSTS else (str(pattern),)


def _section(ctx: click.Context, key: str) -> Mapping[str, Any]:
    found = _config(ctx).get(key)
    return found if isinstance(found, dict) else {}


def _config(ctx: click.Context) -> Mapping[str, Any]:
    import yaml

    try:
        path = Path(ctx.params.get("config") or "gapless.yaml")
        data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}
