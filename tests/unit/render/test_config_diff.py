"""What changes in configuration files, on a screen and whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gapless.plans import Plan, Verb
from gapless.render.plan import render_plan
from tests.unit.render import goldens, streams


def change(hosts: list[str], lines: list[str], *notes: str, file: str = "/etc/api") -> Any:
    return {"file": file, "hosts": hosts, "lines": lines, "notes": list(notes)}


def plan(*changes: Any) -> Plan:
    """shop.api gets its files and nothing else."""
    whole = streams.shop_plan(verb=Verb.DEPLOY)
    api = whole.services[1]
    marks = dict.fromkeys(api.hosts, "aaaaaa-1")
    same = dict.fromkeys(api.hosts, str(api.to["name"]))
    service = replace(api, config=marks, from_=same, config_changes=tuple(changes), notes=())
    return replace(whole, services=(service,), untouched=())


def test_a_screen() -> None:
    few = ["@@ -1,2 +1,2 @@", " a = 1", "-b = 2", "+b = 3"]
    text = render_plan(
        plan(
            change(["web1", "web2", "web3"], few),
            change(["web4"], few, "changed on the host since gapless wrote it"),
            change(["web5"], [], "not there yet; undo removes it", file="/etc/key"),
        )
    )
    goldens.check("plan_config", text)


def test_what_is_too_much_is_counted_and_told_how_to_see() -> None:
    long = [f"+line {number}" for number in range(30)]
    many = [change([f"web{number}"], long, file=f"/etc/{number}") for number in range(1, 7)]
    text = render_plan(plan(*many))
    assert "… 16 more lines" in text
    assert "2 more changes; all of it: gapless plan deploy shop.api --diff" in text
    assert "/etc/5" not in text
    whole = render_plan(plan(*many), diff=True)
    assert whole.count("+line 29") == 6
    assert "--diff" not in whole


def test_a_line_of_a_file_cannot_drive_the_terminal() -> None:
    wide = "+" + "x" * 300
    text = render_plan(plan(change(["web1"], ["+\x1b[2J", wide])))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert wide in render_plan(plan(change(["web1"], [wide])), diff=True)
