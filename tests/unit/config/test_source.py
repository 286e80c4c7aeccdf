from __future__ import annotations

import time
from pathlib import Path

import pytest

from gapless.config.source import check_config, environment_names, load_config
from gapless.errors import ConfigError, UsageError
from tests.unit.config.shop import SHOP, loaded, problems, service, write


def test_the_example_of_the_design_loads(tmp_path: Path) -> None:
    project = loaded(tmp_path).project
    assert list(project.hosts) == [
        "web1.shop.example",
        "web2.shop.example",
        "web3.shop.example",
        "web4.shop.example",
        "db1.shop.example",
        "lb1.shop.example",
    ]
    api = project.services["shop.api"]
    assert api.systemd is not None and api.systemd.unit == "shop-api.service"
    assert api.balancer == ("edge",)
    assert api.soak == 30.0
    assert project.environment is None


def test_hosts_of_a_range_share_one_object(tmp_path: Path) -> None:
    hosts = loaded(tmp_path).project.hosts
    assert hosts["web1.shop.example"] is hosts["web4.shop.example"]


def test_local_paths_are_seen_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path)
    monkeypatch.chdir(tmp_path)
    for path in (file, Path("gapless.yaml")):
        release = load_config(path).project.services["shop.api"].release
        assert release is not None and release.directory == str(tmp_path / "dist")


def test_the_unit_file_too(tmp_path: Path) -> None:
    text = service(systemd="{unit: api, file: units/api.service}")
    systemd = loaded(tmp_path, text).project.services["api"].systemd
    assert systemd is not None and systemd.file == str(tmp_path / "units/api.service")


def test_on_is_a_key_and_no_boolean(tmp_path: Path) -> None:
    assert loaded(tmp_path, service()).project.services["api"].on == ("web",)


def test_ranges_and_all_in_on_become_hosts(tmp_path: Path) -> None:
    some = loaded(tmp_path, service(on='["web[2:3]", web1]')).project
    assert some.services["api"].on == ("web2", "web3", "web1")
    every = loaded(tmp_path, service(on="all")).project
    assert every.services["api"].on == ("web1", "web2", "web3", "web4")


def test_balancers_stand_on_hosts(tmp_path: Path) -> None:
    text = SHOP.replace("on: [lb1.shop.example]", "on: [db]")
    edge = loaded(tmp_path, text).project.balancers["edge"]
    assert edge.haproxy is not None and edge.haproxy.on == ("db1.shop.example",)


def test_places_of_keys(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert found.place("services", "shop.api", "health") == f"{found.path}:20:5"
    assert found.place("services", "shop.api", "health", 0, "timeout") == f"{found.path}:7:12"
    assert found.place("no", "such", "key") == f"{found.path}:1:1"


def test_anchors_live_in_x_keys_and_are_judged_once_where_they_stand(tmp_path: Path) -> None:
    text = (
        "project: a\n"
        "x-check: &check {tcp: 'a:1', timeout: 9s}\n"
        "hosts: {h: }\n"
        "services:\n"
        "  a: {on: h, systemd: a, health: *check}\n"
        "  b: {on: h, systemd: b, health: [*check, {<<: *check, passes: 2}]}\n"
    )
    services = loaded(tmp_path, text).project.services
    assert [check.timeout for check in services["b"].health] == [9.0, 9.0]
    assert problems(tmp_path, text.replace("9s", "9")) == [
        "2:39: timeout: a duration needs a unit, for example 9s"
    ]


class TestDefaults:
    def test_every_service_gets_what_it_does_not_say(self, tmp_path: Path) -> None:
        text = service(health="[{tcp: 'a:1'}, {tcp: 'a:2', timeout: 9s}]", rollout="{batch: 2}")
        text += (
            "defaults:\n"
            "  soak: 7s\n"
            "  health: {timeout: 11s, passes: 3}\n"
            "  rollout: {max_unavailable: 3, batch: 1}\n"
        )
        api = loaded(tmp_path, text).project.services["api"]
        assert [check.timeout for check in api.health] == [11.0, 9.0]
        assert [check.passes for check in api.health] == [3, 3]
        assert api.soak == 7.0
        assert (api.rollout.batch, api.rollout.max_unavailable) == (2, 3)

    def test_what_the_service_says_wins(self, tmp_path: Path) -> None:
        text = service(soak="0s", health="{tcp: 'a:1', passes: 1}")
        text += "defaults: {soak: 7s, health: {passes: 3}}\n"
        api = loaded(tmp_path, text).project.services["api"]
        assert (api.soak, api.health[0].passes) == (0.0, 1)

    def test_a_wrong_default_is_told_once_where_it_stands(self, tmp_path: Path) -> None:
        text = service(health="{tcp: 'a:1'}") + "defaults: {health: {timeout: 5}}\n"
        assert problems(tmp_path, text) == [
            "9:30: timeout: a duration needs a unit, for example 5s"
        ]

    def test_verify_gets_the_timings_too(self, tmp_path: Path) -> None:
        text = service(verify="{tcp: 'a:1'}") + "defaults: {health: {answer: 9s}}\n"
        assert loaded(tmp_path, text).project.services["api"].verify[0].answer == 9.0


class TestEnvironments:
    def test_an_overlay_merges_replaces_and_removes(self, tmp_path: Path) -> None:
        found = loaded(tmp_path, environment="staging")
        project = found.project
        assert (found.environment, project.environment) == ("staging", "staging")
        assert project.project == "shop-staging"
        assert list(project.hosts) == [
            "db1.shop.example",
            "lb1.shop.example",
            "stage1.shop.example",
        ]
        api = project.services["shop.api"]
        assert (api.after, api.soak, api.rollout.canary) == ((), 5.0, 0)
        assert api.rollout.batch == "25%"

    def test_the_base_knows_nothing_of_it(self, tmp_path: Path) -> None:
        assert loaded(tmp_path).project.project == "shop"
        assert loaded(tmp_path).environments == ("staging",)
        assert environment_names(tmp_path / "gapless.yaml") == ("staging",)

    def test_an_unknown_one_is_refused_with_the_nearest(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"'stagin' — did you mean 'staging'\?"):
            loaded(tmp_path, environment="stagin")

    def test_none_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="the file has no environments"):
            loaded(tmp_path, service(), environment="staging")

    def test_problems_of_an_overlay_stand_in_the_overlay(self, tmp_path: Path) -> None:
        text = service() + "environments:\n  st: {services: {api: {onn: x}}}\n"
        assert problems(tmp_path, text) == []
        assert problems(tmp_path, text, "st") == ["9:25: unknown key 'onn' — did you mean 'on'?"]

    def test_check_looks_at_every_environment(self, tmp_path: Path) -> None:
        text = service() + "environments:\n  a: {services: {api: {onn: x}}}\n  b: {prove: 3}\n"
        told = check_config(write(tmp_path, text))
        found = [str(problem).rpartition("yaml:")[2] for problem in told]
        assert found == [
            "9:24: unknown key 'onn' — did you mean 'on'?",
            "10:14: prove: expected a mapping, got a number",
        ]

    def test_a_base_that_is_only_whole_with_an_environment_says_so(self, tmp_path: Path) -> None:
        text = service().replace("hosts:\n", "x-hosts:\n") + (
            "environments: {st: {hosts: {a: {groups: [web]}}}}\n"
        )
        said = ["1:1: no environment is chosen — choose one with -e: st"]
        assert problems(tmp_path, text) == said, "not that hosts and groups are missing, too"
        assert problems(tmp_path, text, "st") == []

    def test_environment_itself_is_no_key(self, tmp_path: Path) -> None:
        assert problems(tmp_path, service() + "environment: prod\n") == [
            "8:1: environment is chosen with -e — did you mean 'environments'?"
        ]

    @pytest.mark.parametrize("value", ["[a]", "{a: 3}"])
    def test_wrong_shapes(self, tmp_path: Path, value: str) -> None:
        assert len(problems(tmp_path, service() + f"environments: {value}\n")) == 1


class TestFiles:
    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            load_config(tmp_path / "gapless.yaml")
        assert caught.value.next == f"gapless init -c {tmp_path / 'gapless.yaml'}"

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="Is a directory"):
            load_config(tmp_path)

    def test_bytes_that_are_not_utf8(self, tmp_path: Path) -> None:
        file = tmp_path / "gapless.yaml"
        file.write_bytes(b"project: shop\nhosts: {\xe4: {}}\n")
        with pytest.raises(ConfigError) as caught:
            load_config(file)
        assert [str(p) for p in caught.value.problems] == [
            f"{file}:2:9: the byte 0xe4 is not UTF-8 — save it as UTF-8"
        ]

    def test_a_byte_order_mark_is_no_content(self, tmp_path: Path) -> None:
        file = tmp_path / "gapless.yaml"
        file.write_bytes(b"\xef\xbb\xbf" + service().encode())
        assert load_config(file).project.project == "shop"

    @pytest.mark.parametrize("text", ["", "# nothing\n", "~\n"])
    def test_an_empty_file(self, tmp_path: Path, text: str) -> None:
        assert problems(tmp_path, text) == ["1:1: the file is empty — gapless init writes one"]

    def test_a_list(self, tmp_path: Path) -> None:
        assert problems(tmp_path, "- a\n")[0].startswith("1:1: expected a mapping")


def test_ten_thousand_hosts_in_one_line_cost_little(tmp_path: Path) -> None:
    text = service(health="{tcp: 'a:1'}").replace("web[1:4]", "web[1:10000]")
    begun = time.process_time()
    assert len(loaded(tmp_path, text).project.hosts) == 10_000
    assert time.process_time() - begun < 2.0
