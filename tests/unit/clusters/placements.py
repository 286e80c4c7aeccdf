"""Topologies made up: groups spread over zones, a few of them amiss, or put anywhere."""

from __future__ import annotations

from random import Random

from gapless.clusters.group import Group, Kind, majority
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology


def spread(
    members: int, groups: int, copies: int, minimum: int, *, amiss: float = 0.0, seed: int = 1
) -> Topology:
    """As many zones as copies, one copy in each. Groups that are ``amiss`` have one of them in a
    zone that has another."""
    random = Random(seed)
    racks = [range(zone, members, copies) for zone in range(copies)]
    held = []
    for _ in range(groups):
        on = [random.choice(rack) for rack in racks]
        if random.random() < amiss:
            first, second = random.sample(range(copies), 2)
            on[first] = random.choice([one for one in racks[second] if one != on[second]])
        held.append(random.sample(on, copies))
    return assembled(members, held, minimum, zones=copies)


def anywhere(members: int, groups: int, copies: int, minimum: int, *, seed: int = 1) -> Topology:
    """No group heeds the zones, of which there are as many as copies."""
    random = Random(seed)
    held = [random.sample(range(members), copies) for _ in range(groups)]
    return assembled(members, held, minimum, zones=copies)


def assembled(members: int, held: list[list[int]], minimum: int, *, zones: int) -> Topology:
    """Groups on these members, all in sync and led by their first: ``n0`` and so on in turn in
    ``z0`` and so on."""
    names = [f"n{number}" for number in range(members)]
    known = {name: Member(name, zone=f"z{n % zones}") for n, name in enumerate(names)}
    groups = {}
    for number, on in enumerate(held):
        ids = tuple(names[one] for one in on)
        name = f"g{number}"
        groups[name] = Group(name, Kind.REPLICAS, ids, ids[0], frozenset(ids), minimum)
    return Topology(known, groups)


def drawn(seed: int, *, members: int, groups: int, exactly: bool = False) -> Topology:
    """Everything at random, up to these sizes or exactly: groups of every width, some with copies
    out of sync, some that cannot ever be safe; zones that nobody knows, members in trouble, a
    controller."""
    random = Random(seed)
    count = members if exactly else random.randint(1, members)
    many = groups if exactly else random.randint(0, groups)
    names = [f"n{number}" for number in range(count)]
    zones = ["", *(f"z{number}" for number in range(random.randint(1, 5)))]
    known = {name: _drawn_member(random, name, zones) for name in names}
    sick = min(0.1, 5 / (many + 1))  # a few however many there are, or nobody could ever go
    made = [_drawn_group(random, f"g{number}", names, sick) for number in range(many)]
    controller = {"controller": random.choice(names)} if random.random() < 0.5 else {}
    return Topology(known, {group.id: group for group in made}, singletons=controller)


def _drawn_member(random: Random, name: str, zones: list[str]) -> Member:
    trouble = "lags" if random.random() < 0.1 else ""
    return Member(name, zone=random.choice(zones), trouble=trouble)


def _drawn_group(random: Random, name: str, names: list[str], sick: float) -> Group:
    on = tuple(random.sample(names, min(len(names), random.choice((2, 3, 3, 3, 4, 5, 7)))))
    width = len(on)
    lost = 1 if width > 2 and random.random() < sick else 0
    minimum = random.choice((1, majority(width), majority(width), width - 1)) if width > 2 else 1
    if random.random() < sick / 5:
        minimum = width
    in_sync = frozenset(on[: width - lost])
    leader = "" if random.random() < 0.02 else random.choice(on[: width - lost])
    position = {one: random.randrange(3) for one in on}
    return Group(name, Kind.QUORUM, on, leader, in_sync, minimum, position)
