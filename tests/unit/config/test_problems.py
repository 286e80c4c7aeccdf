# ruff: noqa: E501 - one line a case
"""Every kind of problem, with its place and its hint; all of a file at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.shop import problems, service

MANY = """\
project: Shop
hosts:
  web[1:4].shop.example: {user: deploy, groups: [web], prt: 22}
  web3.shop.example: {user: 17}
  db[4:1]: {}
balancers:
  edge: {haproxy: {socket: /x, on: [lb1], backend: shop}}
services:
  a:
    on: [wbe]
    systemd: {unit: a, relod: try}
    after: [b]
    health: {http: {ur: x}, timeout: 30, passes: 0}
  b:
    on: web
    after: [a, zz]
    systemd: b
    command: {start: x, stop: y}
    balancer: edg
    rollout: {batch: 4, max_unavailable: 2, on_failure: rolback, strategy: 3}
    rollout: 3
"""

TOLD = """\
1:10: project: 'Shop' does not match ^[a-z0-9][a-z0-9._-]{0,62}$
3:56: unknown key 'prt' — did you mean 'port'?
4:3: host 'web3.shop.example' is given already by 'web[1:4].shop.example'
4:29: user: expected text, got a number — put it in quotes
5:3: [4:1] in 'db[4:1]' counts down; write [1:4]
7:37: unknown host or group 'lb1' — known: web, web1.shop.example, web2.shop.example, \
web3.shop.example, web4.shop.example
10:10: unknown host or group 'wbe' — did you mean 'web'?
11:24: unknown key 'relod' — did you mean 'reload'?
12:5: services wait for each other: a → b → a — remove one of these from after
13:14: missing key 'url' in 'http'
13:21: unknown key 'ur' — did you mean 'url'?
13:38: timeout: a duration needs a unit, for example 30s
13:50: passes: must be 1 or more
14:3: b: give exactly one of systemd, process, compose, docker, command
16:16: unknown service 'zz' — known: a, b
18:5: missing key 'status' in 'command'
19:15: unknown balancer 'edg' — did you mean 'edge'?
20:57: on_failure: 'rolback' is not possible — did you mean 'rollback'?
20:76: strategy: a number is not possible — one of rolling, start-first, canary, blue-green, handover, followers-first
21:5: key 'rollout' is given twice — see line 20
"""


def test_all_problems_of_a_file_at_once(tmp_path: Path) -> None:
    assert "\n".join(problems(tmp_path, MANY)) + "\n" == TOLD


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"helth": "x"}, "8:5: unknown key 'helth' — did you mean 'health'?"),
        ({"soak": "30"}, "8:11: soak: a duration needs a unit, for example 30s"),
        ({"soak": "30 sec"}, "8:11: soak: '30 sec' is not a duration; write 500ms, 30s, 5m or 1h30m"),
        ({"soak": "true"}, "8:11: soak: write a duration: 500ms, 30s, 5m or 1h30m"),
        ({"soak": "[1s]"}, "8:11: soak: write a duration: 500ms, 30s, 5m or 1h30m"),
        ({"after": "5"}, "8:12: after: expected text, got a number — put it in quotes"),
        ({"after": "[5]"}, "8:13: after: expected text, got a number — put it in quotes"),
        ({"after": "api"}, "8:12: services wait for each other: api → api — remove one of these from after"),
        ({"health": "{unix: true}"}, "8:20: unix: expected text, got true or false — put it in quotes"),
        ({"health": "{retries: 1.5}"}, "8:23: retries: expected a whole number, got a number"),
        ({"health": "{retries: '1'}"}, "8:23: retries: expected a whole number, got text"),
        ({"health": "{retries: yes}"}, "8:23: retries: expected a whole number, got text"),
        ({"health": "{http: [a]}"}, "8:20: http: expected text, got a list"),
        ({"health": "{tcp: 'a:1', unix: /a}"}, "8:5: health: tcp and unix are two checks; give a list of health entries"),
        ({"health": "{tcp: 'a:1', expect: {status: 200}}"}, "8:5: health: expect belongs to an http check written as a URL"),
        ({"health": "{tcp: 'a:1', output: x}"}, "8:5: health: output belongs to a command check"),
        ({"health": "{http: 'http://a', expect: {status: 20}}"}, "8:49: status: 20 is no HTTP status; write 200, 2xx or 200-204"),
        ({"health": "{http: 'http://a', expect: {status: [300-200]}}"}, "8:49: status: 300-200 counts down; write 200-300"),
        ({"health": "{http: 'http://a', expect: {body: '('}}"}, "8:47: body: '(' is not a regular expression: missing ), unterminated subpattern at position 0"),
        ({"health": "{http: 'http://u:pw@a/'}"}, "8:20: the URL holds a password — everyone who reads a plan would see it"),
        ({"health": "{from: here}"}, "8:20: from: 'here' is not possible — one of host, controller"),
        ({"health": "[{command: ''}]"}, "8:24: command: the command is empty"),
        ({"health": "[{ask_from: host}]"}, "8:15: unknown key 'ask_from' — did you mean 'from'?"),
        ({"verify": "{timeout: 3s}"}, "8:5: verify asks nothing — give one of http, tcp, unix, command, "
            "endpoints, openapi, level, logs, prometheus, graphite, elasticsearch, loki, "
            "balancer_errors"),
        ({"on": "[]"}, "6:5: 'api' is on no host"),
        ({"on": "[web, dbb]"}, "6:15: unknown host or group 'dbb' — known: web, web1, web2, web3, web4"),
        ({"on": '["web[3:6]"]'}, "6:10: unknown host 'web5' in 'web[3:6]' — did you mean 'web4'?"),
        ({"on": '["web[3"]'}, "6:10: 'web[3' has a bracket without its partner"),
        ({"balancer": "edge"}, "8:15: unknown balancer 'edge' — there are none: add it under balancers"),
        ({"rollout": "{batch: 0}"}, "8:22: batch: 0 replaces nothing — write 1 or more"),
        ({"rollout": "{batch: lots}"}, "8:22: batch: 'lots' is neither a number of instances (2) nor a share (25%)"),
        ({"rollout": "{batch: 101%}"}, "8:22: batch: '101%' is neither a number of instances (2) nor a share (25%)"),
        ({"rollout": "{batch: -1}"}, "8:22: batch: a number of instances cannot be negative"),
        ({"rollout": "{max_unavailable: 0}"}, "8:32: max_unavailable: 0 leaves nothing to replace in place — write 1 or more"),
        ({"rollout": "{batch: 50%, max_unavailable: 1}"}, "8:22: batch 50% of 4 instances is more than max_unavailable allows — 2 at a time, 1 may be out; raise max_unavailable or lower batch"),
        ({"systemd": "{unit: a b}"}, "7:21: unit: 'a b.service' is not the name of a unit"),
        ({"systemd": "{unit: a, file: a, reload: only}"}, "7:41: reload: only never restarts, so the unit file would not take effect — write try or no"),
        ({"command": "{start: a, stop: b, status: c}"}, "5:3: api: give exactly one of systemd, process, compose, docker, command"),
        ({"release": "{directory: a, to: srv}"}, "8:33: to: 'srv' must be an absolute path on the host"),
        ({"release": "{to: /srv}"}, "8:5: release: give exactly one source of the release: directory, git, archive"),
        ({"release": "{directory: a, to: /srv, schema: {}}"}, "8:39: schema: give exactly one of version, file"),
        ({"migrate": "{run: a, secrets: {A: hunter2}}"}, "8:36: A: a secret is a reference: env:NAME, file:/path or command:program args; never a value"),
        ({"migrate": "{run: a, secrets: {A: 'env: '}}"}, "8:36: A: 'env: ' names nothing after the colon"),
        ({"migrate": "{run: \"a 'b\"}"}, "8:20: run: cannot split \"a 'b\" into words: No closing quotation"),
    ],
)  # fmt: skip
def test_one_problem(tmp_path: Path, lines: dict[str, str], told: str) -> None:
    assert problems(tmp_path, service(**lines)) == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hosts: {}\nprojct: a\n", ["1:1: missing key 'project'", "1:1: missing key 'services'", "2:1: unknown key 'projct' — did you mean 'project'?"]),
        ("a: {b: 1\n", ["2:1: not valid YAML: did not find expected ',' or '}' — while parsing a flow mapping at line 1; text with [ ] { } in it needs quotes here"]),
        ("a: b: c\n", ["1:5: not valid YAML: mapping values are not allowed in this context"]),
        ("a: 1\n--- \nb: 2\n", ["2:1: not valid YAML: but found another document — expected a single document in the stream at line 1"]),
        ("a: *b\n", ["1:4: not valid YAML: found undefined alias"]),
        ("a: \x07\n", ["1:4: the character '\\x07' is not allowed"]),
    ],
)  # fmt: skip
def test_whole_files(tmp_path: Path, text: str, told: list[str]) -> None:
    assert problems(tmp_path, text) == told


def test_fine_combinations_are_no_problems(tmp_path: Path) -> None:
    for lines in (
        {"rollout": "{canary: 9}"},
        {"rollout": "{batch: 3}"},
        {"rollout": "{batch: 100%, max_unavailable: 100%}"},
        {"migrate": "{run: a}"},
        {"release": "{directory: a, to: /srv/a}"},
        {"systemd": "{unit: a, reload: only}", "release": "{directory: a, to: /srv/a}"},
        {"health": "{timeout: 3s}"},
    ):
        assert problems(tmp_path, service(**lines)) == [], lines


def test_two_services_cannot_be_one_unit_on_one_host(tmp_path: Path) -> None:
    text = service() + "  other: {on: [web2], systemd: api.service}\n"
    assert problems(tmp_path, text) == ["8:32: 'other' and 'api' are both api.service on web2"]


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ("{'web[1:2]': {address: 10.0.0.1, groups: [web]}}", "all hosts of 'web[1:2]' would have the address 10.0.0.1"),
        ("{web: {groups: [web]}}", "'web' is the name of a group and of a host"),
        ("{a: {groups: [web, all]}}", "'all' is the name of a group and of the group of every host"),
        ("{'-oProxyCommand=x': {groups: [web]}}", "'-oProxyCommand=x' cannot be the name of a host"),
        ("{'a/b': {groups: [web]}}", "'a/b' cannot be the name of a host"),
        ("{'a[1,1]': {groups: [web]}}", "'a[1,1]' gives the same host twice"),
        ("{'a[1:999999]': {groups: [web]}}", "'a[1:999999]' stands for more than 100,000 hosts"),
        ("{a: {groups: [web], port: 0}}", "port: must be 1 or more"),
        ("{a: {groups: [web], port: 70000}}", "port: must be 65535 or less"),
        ("{a: {groups: [web], sudo: yes}}", "sudo: expected true or false, got text"),
        ("{a: {groups: [web], transport: shh}}", "transport: 'shh' is not possible"),
        ("3", "hosts: expected a mapping, got a number"),
    ],
)  # fmt: skip
def test_hosts(tmp_path: Path, hosts: str, told: str) -> None:
    text = f"project: a\nhosts: {hosts}\nservices: {{api: {{on: [web], systemd: a}}}}\n"
    assert told in "\n".join(problems(tmp_path, text))


def test_a_name_of_a_service_is_part_of_paths(tmp_path: Path) -> None:
    text = service() + "  ../etc: {on: web1, systemd: x}\n"
    assert problems(tmp_path, text) == ["8:3: '../etc' cannot be the name of a service"]


def test_every_cycle_is_printed(tmp_path: Path) -> None:
    text = "project: a\nhosts: {h: }\nservices:\n" + "".join(
        f"  {name}: {{on: h, systemd: {name}, after: [{after}]}}\n"
        for name, after in {"a": "c", "b": "a", "c": "b", "d": "e", "e": "d", "f": "a"}.items()
    )
    assert [line.partition(" — ")[0] for line in problems(tmp_path, text)] == [
        "4:26: services wait for each other: a → c → b → a",
        "7:26: services wait for each other: d → e → d",
    ]


def test_no_problem_shows_a_secret(tmp_path: Path) -> None:
    text = service() + "events:\n  - webhook: {url: 'https://a', secret: hunter2}\n"
    assert len(problems(tmp_path, text)) == 1
    assert "hunter2" not in problems(tmp_path, text)[0]


def test_a_file_without_a_service_is_no_project(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "project: a\nhosts: {}\nservices: {}\n")
    assert told.startswith("3:1: there is no service")


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("/", "is a folder of the system"),
        ("//", "is a folder of the system"),
        ("/etc", "is a folder of the system"),
        ("/etc/", "is a folder of the system"),
        ("/srv/../etc", "is a folder of the system"),
        ("/etc/systemd/system", "is a folder of the system"),
        ("/usr/local", "is a folder of the system"),
        ("/var/lib", "is a folder of the system"),
        ("/home", "is a folder of the system"),
        ("/root", "is a folder of the system"),
        ("/home/deploy", "is a user's home"),
        ("/var/lib/gapless", "holds the state of gapless (/var/lib/gapless)"),
        ("/var/lib/gapless/x", "holds the state of gapless (/var/lib/gapless)"),
        ("/data", "holds the state of gapless (/data/state)"),
    ],
)
def test_no_release_goes_to_a_folder_that_others_own(tmp_path: Path, to: str, why: str) -> None:
    release = f"{{directory: ., to: {to}, in_place: true}}"
    text = service(release=release).replace("[web]}", "[web], state_dir: /data/state}", 1)
    hint = "gapless removes what is not in the release there; give it a folder of its own, as /srv/shop/api"
    column = 13 + len("{directory: ., to: ") + 1
    assert problems(tmp_path, text) == [f"8:{column}: to: '{to}' {why} — {hint}"]


@pytest.mark.parametrize(
    "to", ["/srv/api", "/opt/api", "/home/deploy/api", "/etc/shop", "/data/api"]
)
def test_a_folder_of_its_own_is_right(tmp_path: Path, to: str) -> None:
    release = f"{{directory: ., to: {to}, in_place: true}}"
    text = service(release=release).replace("[web]}", "[web], state_dir: /data/state}", 1)
    assert problems(tmp_path, text) == []


def test_a_bump_names_the_version_it_bumps_to(tmp_path: Path) -> None:
    schema = "{version: 1, current: schema live, bump: schema declare}"
    release = f"{{directory: ., to: /srv/api, schema: {schema}}}"
    (problem,) = problems(tmp_path, service(release=release))
    assert "bump needs {version}: what the older release is to declare" in problem
    filled = release.replace("schema declare", "'schema declare {version}'")
    assert problems(tmp_path, service(release=filled)) == []


@pytest.mark.parametrize("indent", ["\t", "  \t"])
def test_a_tab_is_called_a_tab(tmp_path: Path, indent: str) -> None:
    text = f"project: shop\nhosts:\n{indent}web1: {{}}\n"
    told = "not valid YAML: there is a tab — YAML is indented with spaces only"
    assert problems(tmp_path, text) == [f"3:{len(indent)}: {told}"]


@pytest.mark.parametrize("word", ["{name}", "{host}", "{release}"])
def test_nothing_is_filled_in_where_a_release_goes(tmp_path: Path, word: str) -> None:
    told = problems(tmp_path, service(release=f"{{directory: ., to: '/srv/{word}'}}"))
    hint = "nothing is filled in here: the folder is the same on each host"
    assert told == [f"8:33: to: '/srv/{word}': {word} would be the name of a folder — {hint}"]
