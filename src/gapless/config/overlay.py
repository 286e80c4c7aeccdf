"""Environments over the base, defaults under the services: both on the tree, so places survive."""

from __future__ import annotations

from gapless.config.problems import Findings, Place
from gapless.config.tree import Entry, Listing, Node, Scalar, Table

_DEFAULT_SOAK = "30s"


def overlaid(base: Node, over: Node) -> Node:
    """``over`` on top of ``base``: mappings merge, lists and scalars replace, null removes."""
    if not (isinstance(base, Table) and isinstance(over, Table)):
        return over
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = entries.get(key)
        if below is None:
            entries[key] = entry
        elif isinstance(entry.node, Scalar) and entry.node.value is None:
            del entries[key]
        else:
            entries[key] = Entry(entry.key, overlaid(below.node, entry.node))
    return Table(base.place, entries)


def environments(root: Table, findings: Findings) -> dict[str, Node]:
    """The overlays of a file by name."""
    node = root.get("environments")
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return {}
    if not isinstance(node, Table):
        findings.add(node.place, "environments: expected a mapping of names to overlays")
        return {}
    for name, entry in node.entries.items():
        if not isinstance(entry.node, Table):
            findings.add(entry.key, f"environment '{name}': expected a mapping")
    return {name: entry.node for name, entry in node.entries.items()}


def without_extras(root: Table) -> Table:
    """The file without what is not part of the merged project: environments and x-… keys."""
    entries = {
        key: entry
        for key, entry in root.entries.items()
        if key != "environments" and not key.startswith("x-")
    }
    return Table(root.place, entries)


def with_defaults(root: Table) -> Table:
    """Every service filled with what it leaves to ``defaults``."""
    services = root.get("services")
    if not isinstance(services, Table):
        return root
    defaults = root.get("defaults")
    filled = {
        name: Entry(entry.key, _filled(entry, defaults if isinstance(defaults, Table) else None))
        for name, entry in services.entries.items()
    }
    place = root.entries["services"].key
    return Table(
        root.place, {**root.entries, "services": Entry(place, Table(services.place, filled))}
    )


def _filled(service: Entry, defaults: Table | None) -> Node:
    node = service.node
    if not isinstance(node, Table):
        return node
    entries = dict(node.entries)
    entries.setdefault("soak", _soak(defaults, service.key))
    if defaults is not None:
        _fill_rollout(entries, defaults)
        _fill_timings(entries, defaults.get("health"))
    return Table(node.place, entries)


def _soak(defaults: Table | None, place: Place) -> Entry:
    said = defaults.entries.get("soak") if defaults else None
    return said or Entry(place, Scalar(place, _DEFAULT_SOAK))


def _fill_rollout(entries: dict[str, Entry], defaults: Table) -> None:
    said = defaults.entries.get("rollout")
    if said is None or not isinstance(said.node, Table):
        return
    own = entries.get("rollout")
    entries["rollout"] = Entry(own.key, _under(own.node, said.node)) if own else said


def _fill_timings(entries: dict[str, Entry], timings: Node | None) -> None:
    if not isinstance(timings, Table):
        return
    for key in ("health", "verify"):
        if own := entries.get(key):
            entries[key] = Entry(own.key, _each_under(own.node, timings))


def _each_under(node: Node, base: Table) -> Node:
    if isinstance(node, Listing):
        return Listing(node.place, tuple(_under(item, base) for item in node.items))
    return _under(node, base)


def _under(node: Node, base: Table) -> Node:
    """``node`` with the keys of ``base`` that it does not give itself."""
    if not isinstance(node, Table):
        return node
    return Table(node.place, {**base.entries, **node.entries})
