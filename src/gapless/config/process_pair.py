"""A run file that is that of two processes: one a slot, told apart by their names."""

from __future__ import annotations

from gapless.config.problems import Findings
from gapless.config.process import ProcessConfig
from gapless.config.slots import in_both
from gapless.config.tree import Entry, Listing, Node, Scalar, Table, locate, to_data
from gapless.supervisor.spec import SLOTS, filled


def of_slot(
    config: ProcessConfig, tree: Node, name: str, findings: Findings
) -> tuple[ProcessConfig, Node]:
    """What is written of the one that is called ``name``. Which of them is meant has to be said:
    anything else is a finding."""
    names = dict(zip(in_both(config.name or ""), SLOTS, strict=True))
    slot = names.get(name)
    if slot is None:
        text = f"name: '{config.name}' is two processes, {' and '.join(names)}"
        findings.add(locate(tree, ("name",))[1], text, f"say which: --name {next(iter(names))}")
        return config, tree
    own = _in_slot(tree, slot)
    return ProcessConfig.model_validate(to_data(own), by_alias=True, by_name=False), own


def _in_slot(node: Node, slot: str) -> Node:
    if isinstance(node, Table):
        entries = {key: Entry(e.key, _in_slot(e.node, slot)) for key, e in node.entries.items()}
        return Table(node.place, entries)
    if isinstance(node, Listing):
        return Listing(node.place, tuple(_in_slot(one, slot) for one in node.items))
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return Scalar(node.place, filled(node.value, slot))
    return node
