"""From gapless.yaml to a ProjectConfig, with every problem told at once.

1. The text becomes a tree that remembers places (:mod:`gapless.config.tree`).
2. The chosen environment is laid over it, defaults under each service
   (:mod:`gapless.config.overlay`).
3. The models judge keys and types (:mod:`gapless.config.messages`), then names
   (:mod:`gapless.config.references`) and combinations (:mod:`gapless.config.combinations`) are
   checked as far as the rest can be read.
4. Ranges are written out: hosts of one range share one frozen HostConfig.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from gapless.config import addresses, combinations, references
from gapless.config.balancers import BalancerConfig
from gapless.config.base import Section
from gapless.config.cord_rules import check_cords
from gapless.config.groups import hosts_on
from gapless.config.hosts import HostConfig
from gapless.config.judging_rules import check_patience
from gapless.config.members import check_members
from gapless.config.messages import explain
from gapless.config.order_rules import check_order
from gapless.config.overlay import environments, overlaid, with_defaults, without_extras
from gapless.config.problems import Findings, Place, did_you_mean
from gapless.config.project import ProjectConfig
from gapless.config.prove_rules import check_workloads
from gapless.config.services import DefaultsConfig, ServiceConfig
from gapless.config.shared_folders import check_folders
from gapless.config.shift_rules import check_shifting
from gapless.config.system_folders import STATE
from gapless.config.template_rules import check_files, check_groups, check_owners
from gapless.config.tree import Entry, Node, Scalar, Table, locate, parse, to_data
from gapless.config.unfilled import check_unfilled
from gapless.config.written import written_out
from gapless.errors import ConfigError, Problem, UsageError
from gapless.places import places_on

DEFAULT_FILE = "gapless.yaml"
_Section = TypeVar("_Section", bound=Section)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project, the file it came from, and where everything in it stands."""

    project: ProjectConfig
    path: Path
    environment: str = ""
    environments: tuple[str, ...] = ()
    tree: Node | None = None

    def place(self, *path: str | int) -> str:
        """``file:line:column`` of a key, or of the nearest one above it."""
        if self.tree is None:
            return str(self.path)
        key, _, _ = locate(self.tree, path)
        return f"{self.path}:{key.line}:{key.column}"

    def problem(self, path: Sequence[str | int], text: str, hint: str = "") -> Problem:
        """What is wrong with a value, or with the nearest one above it, at its place."""
        line, column = locate(self.tree, tuple(path))[1] if self.tree else (1, 1)
        return Problem(str(self.path), line, column, text, hint)


def load_config(path: str | Path = DEFAULT_FILE, environment: str | None = None) -> Loaded:
    """Read and check a file. Raises UsageError (no file, no such environment) or ConfigError."""
    file = Path(path)
    findings = Findings(str(path))
    root = _root(file, findings)
    overlays = environments(root, findings)
    tree = with_defaults(_hosts_filled(_merged(root, overlays, environment, file)))
    if environment is None:
        _refuse_unchosen(tree, overlays, findings)
    project = _project(tree, findings)
    findings.raise_if_any()
    if project is None:
        raise AssertionError("a project without problems was not built")
    named = project.model_copy(update={"environment": environment})
    whole = written_out(named, file.resolve().parent)
    return Loaded(whole, file, environment or "", tuple(overlays), tree)


def _refuse_unchosen(tree: Table, overlays: Mapping[str, Node], findings: Findings) -> None:
    """Where an environment brings what the rest of the file lacks, that is all there is to say:
    what else seems to be missing is in the environments, too."""
    lacking = [key for key in ("project", "hosts", "services") if key not in tree.entries]
    brought = [isinstance(o, Table) and o.entries.keys() >= set(lacking) for o in overlays.values()]
    if lacking and any(brought):
        names = ", ".join(overlays)
        findings.add(tree.place, "no environment is chosen", f"choose one with -e: {names}")
        findings.raise_if_any()


def check_config(path: str | Path = DEFAULT_FILE) -> tuple[Problem, ...]:
    """Problems of a file in every environment it describes, each once."""
    found: dict[Problem, None] = {}
    names = environment_names(path)
    for name in names or (None,):
        try:
            load_config(path, name)
        except ConfigError as error:
            found.update(dict.fromkeys(error.problems))
    return tuple(sorted(found, key=lambda p: (p.line, p.column, p.text)))


def environment_names(path: str | Path = DEFAULT_FILE) -> tuple[str, ...]:
    """The environments a file describes, as far as it can be read."""
    findings = Findings(str(path))
    try:
        return tuple(environments(_root(Path(path), findings), findings))
    except ConfigError:
        return ()


def _root(file: Path, findings: Findings) -> Table:
    root = parse(_text(file, findings), findings)
    if root is None or not isinstance(root, Table):
        if not findings:
            empty = root is None or (isinstance(root, Scalar) and root.value is None)
            what = "the file is empty" if empty else "expected a mapping with project, hosts …"
            findings.add(Place(1, 1), what, "gapless init writes one")
        raise ConfigError(findings.problems)
    return root


def _text(file: Path, findings: Findings) -> str:
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        named = "" if str(file) == DEFAULT_FILE else f" -c {file}"
        raise UsageError(f"there is no {file}", next=f"gapless init{named}") from None
    except OSError as error:
        what = f"{file} cannot be read: {error.strerror}"
        raise UsageError(what, next="gapless check -c FILE") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        findings.add(place, f"the byte 0x{raw[error.start]:02x} is not UTF-8", "save it as UTF-8")
        raise ConfigError(findings.problems) from None


def _merged(
    root: Table, overlays: Mapping[str, Node], environment: str | None, file: Path
) -> Table:
    base = without_extras(root)
    if environment is None:
        return base
    if environment not in overlays:
        hint = did_you_mean(environment, overlays) or "the file has no environments"
        raise UsageError(
            f"unknown environment '{environment}' — {hint}",
            next=f"gapless check -c {shlex.quote(str(file))}",  # all environments, not this one
        )
    merged = overlaid(base, overlays[environment])
    return without_extras(merged) if isinstance(merged, Table) else base


def _hosts_filled(root: Table) -> Table:
    """``db1.example:`` with nothing after it is a host with every default."""
    hosts = root.entries.get("hosts")
    if hosts is None or not isinstance(hosts.node, Table):
        return root
    filled = {name: Entry(e.key, _or_empty(e.node)) for name, e in hosts.node.entries.items()}
    return Table(
        root.place,
        {**root.entries, "hosts": Entry(hosts.key, Table(hosts.node.place, filled))},
    )


def _or_empty(node: Node) -> Node:
    nothing = isinstance(node, Scalar) and node.value is None
    return Table(node.place, {}) if nothing else node


def _project(tree: Table, findings: Findings) -> ProjectConfig | None:
    data = to_data(tree)
    if written := tree.entries.get("environment"):
        findings.add(written.key, "environment is chosen with -e", "did you mean 'environments'?")
    names, found = references.known(data)
    found += references.check(data, names)
    found += check_order(data, names)
    found += addresses.check_addresses(data)
    found += check_workloads(data)
    found += check_unfilled(data)
    found += _combinations(data, names)
    for finding in found:
        key, value, node = locate(tree, finding.path)
        findings.add(value if isinstance(node, Scalar) else key, finding.text, finding.hint)
    return _validated(tree, data, findings)


def _validated(tree: Table, data: dict[str, Any], findings: Findings) -> ProjectConfig | None:
    try:
        return ProjectConfig.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        explain(error, tree, ProjectConfig, findings)
        return None


def _combinations(data: dict[str, Any], names: references.Known) -> list[references.Finding]:
    hosts = _readable(data.get("hosts"), HostConfig)
    services = _readable(data.get("services"), ServiceConfig)
    found: list[references.Finding] = []
    readable = frozenset(names.hosts.values())
    for pattern, host in hosts.items():
        if pattern in readable:
            found += combinations.check_host(pattern, host)
    on = {name: _on(service, names) for name, service in services.items()}
    placed = {name: places_on(on[name], service.replicas) for name, service in services.items()}
    state = (STATE, *(host.state_dir for host in hosts.values() if host.state_dir))
    for name, service in services.items():
        found += combinations.check_service(name, service, len(placed[name]), state)
        found += check_files(name, service, state)
    defaults = _readable({"": data.get("defaults") or {}}, DefaultsConfig)
    found += check_patience(services, defaults.get(""))
    found += combinations.check_units(services, on)
    named = {name: hosts[pattern] for name, pattern in names.hosts.items() if pattern in hosts}
    found += check_groups(data.get("groups") or (), names.groups)
    balancers = _readable(data.get("balancers"), BalancerConfig)
    found += check_members(balancers, services, placed, named)
    found += check_cords(services, balancers)
    found += check_shifting(services, balancers)
    return [*found, *check_folders(services, on, named), *check_owners(services, on, named)]


def _on(service: ServiceConfig, names: references.Known) -> tuple[str, ...]:
    try:
        return hosts_on(service.on, names.hosts, names.groups)
    except ValueError:
        return ()


def _readable(table: Any, model: type[_Section]) -> dict[str, _Section]:
    """Those entries that are right by themselves; the others are told by the models."""
    right: dict[str, _Section] = {}
    for name, value in table.items() if isinstance(table, dict) else ():
        try:
            right[name] = model.model_validate(value, by_alias=True, by_name=False)
        except ValidationError:
            continue
    return right
