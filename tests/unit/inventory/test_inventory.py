from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.errors import UsageError
from gapless.inventory import Inventory
from gapless.inventory.selection import select
from gapless.model import Instance
from tests.unit.config.shop import loaded, service

HOSTS = dict.fromkeys(("web1", "web2", "web3", "web10", "db1", "db2", "lb"))
GROUPS = {"web": ("web1", "web2", "web3", "web10"), "db": ("db1", "db2")}


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("web1", "web1"),
        ("db2,web1", "web1 db2"),
        (" web1 , db1 ", "web1 db1"),
        ("web", "web1 web2 web3 web10"),
        ("all", "web1 web2 web3 web10 db1 db2 lb"),
        ("web[1:3]", "web1 web2 web3"),
        ("web[1,10]", "web1 web10"),
        ("web[1,3],lb", "web1 web3 lb"),
        ("web1*", "web1 web10"),
        ("web?", "web1 web2 web3"),
        ("*1", "web1 db1"),
        ("[w,d]?*", "web1 web2 web3 web10 db1 db2"),
        ("we*", "web1 web2 web3 web10"),
        ("web,!web1", "web2 web3 web10"),
        ("!web1,web", "web2 web3 web10"),
        ("!web", "db1 db2 lb"),
        ("!web*,!lb", "db1 db2"),
        ("all,!web[1:3]", "web10 db1 db2 lb"),
        ("web1,web1", "web1"),
    ],
)
def test_expressions(expression: str, chosen: str) -> None:
    assert select(expression, HOSTS, GROUPS) == tuple(chosen.split())


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("wbe", "unknown host or group 'wbe' — did you mean 'web'"),
        ("!wbe1", "unknown host or group 'wbe1' — did you mean 'web1'"),
        ("web[1:5]", "unknown host or group 'web4' — did you mean 'web"),
        ("x*", r"no host matches 'x\*'"),
        ("web[3:1]", "counts down"),
        ("web[1:", "without its partner"),
        ("", "names nothing"),
        (" , ", "names nothing"),
        ("web1,!web", "leaves no host"),
    ],
)
def test_what_means_nothing_is_refused(expression: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        select(expression, HOSTS, GROUPS)


@given(st.sets(st.sampled_from(sorted(HOSTS)), min_size=1))
def test_hosts_by_name_are_exactly_those_in_the_order_of_the_file(wanted: set[str]) -> None:
    assert select(",".join(sorted(wanted)), HOSTS, GROUPS) == tuple(h for h in HOSTS if h in wanted)


@given(st.text(alphabet="web1[]:,!*?", max_size=10))
def test_any_expression_is_hosts_or_a_reason(expression: str) -> None:
    try:
        assert set(select(expression, HOSTS, GROUPS)) <= set(HOSTS)
    except UsageError as error:
        assert error.what


class TestInventory:
    @pytest.fixture
    def inventory(self, tmp_path: Path) -> Inventory:
        text = service(on="[web3, web]") + "  cache: {on: web1, systemd: redis}\n"
        return Inventory(loaded(tmp_path, text).project)

    def test_instances_in_the_order_of_on_each_once(self, inventory: Inventory) -> None:
        assert inventory.hosts_of("api") == ("web3", "web1", "web2", "web4")
        assert inventory.instances("cache") == (Instance("cache", "web1"),)

    def test_groups(self, inventory: Inventory) -> None:
        assert inventory.groups == {"web": ("web1", "web2", "web3", "web4")}

    def test_services(self, inventory: Inventory) -> None:
        assert inventory.services() == ("api", "cache")
        assert inventory.services(["cache", "api"]) == ("api", "cache")
        assert inventory.services(["c*"]) == ("cache",)

    def test_an_unknown_service(self, inventory: Inventory) -> None:
        with pytest.raises(UsageError, match="unknown service 'apy' — did you mean 'api'"):
            inventory.services(["apy"])

    def test_selection(self, inventory: Inventory) -> None:
        assert inventory.select("web[1:2]") == ("web1", "web2")
