"""Drained and admitted by hand on real hosts behind a real HAProxy, under load."""

from __future__ import annotations

from contextlib import ExitStack

from tests.lab.load import Load
from tests.rollouts.site import Site

RATE = 50


def test_an_instance_out_by_hand_stays_out_through_a_rollout_and_nothing_is_lost(
    site: Site,
) -> None:
    gapless = site.folder / "gapless.yaml"
    text = gapless.read_text()
    gapless.write_text(text.replace("batch: 1", "batch: 1, max_unavailable: 2"))
    out = site.hosts[2].name
    with ExitStack() as stack:
        loads = [
            stack.enter_context(Load(site.proxy.url, rate=RATE, keep_alive=keep))
            for keep in (False, True)
        ]
        drained = site.run("drain", f"api@{out}", "--reason", "new disk", check=0)
        restarted = site.run("restart", "--yes", check=0)
        stayed = site.run("status", check=0)
        admitted = site.run("admit", f"api@{out}", check=0)
    assert "out of traffic (counted)" in drained.stderr
    assert f"$ gapless admit api@{out}" in restarted.stdout
    assert "drained it by hand: new disk" in " ".join(restarted.stdout.split())
    row, why, then = [line for line in stayed.stdout.splitlines() if out in line and "api" in line]
    assert "drained" in row
    assert "drained by hand (by" in why and "new disk" in why
    assert f"gapless admit api@{out}" in then
    assert "in traffic" in admitted.stdout
    for load in loads:
        assert load.report.sent > 50
        assert load.report.failed == 0, load.report.errors
    refused = site.run("drain", "api@all", check=3)
    assert "the floor is" in refused.stdout + refused.stderr
