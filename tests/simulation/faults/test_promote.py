"""What staging verified goes to production: the same release, the same checks, the same kind."""

from __future__ import annotations

import shutil

import pytest

from tests.simulation.faults.schema import Schema
from tests.simulation.faults.shop import Shop

ENVIRONMENTS = """\
environments:
  staging: {services: {api: {on: [web1], rollout: {canary: 0}}}}
  production: {services: {api: {on: [web2, web3], rollout: {canary: 0}}}}
"""


@pytest.fixture
def staged(shop: Shop) -> Shop:
    """web1 is staging, the others are production; staging has a newer release, well deployed."""
    shop.config((shop.folder / "gapless.yaml").read_text() + ENVIRONMENTS)
    shop.gapless("deploy", "-e", "production", "--yes", code=0)
    shop.release("2")
    shop.gapless("deploy", "-e", "staging", "--yes", code=0)
    return shop


def test_production_gets_what_staging_runs(staged: Shop) -> None:
    new, old, _ = staged.live()
    assert new != old
    words = ("promote", "-e", "production", "--from", "staging")
    plan = staged.gapless(*words, "--dry-run", code=0)
    assert "promoted from staging, rollout r" in plan.text
    staged.gapless(*words, "--yes", code=0)
    assert staged.live() == [new, new, new]
    staged.all_serve(new)


def test_what_changed_since_is_not_what_was_verified(staged: Shop) -> None:
    """The source has moved on, or is gone: it is refused, and nothing is changed."""
    live = staged.live()
    staged.release("3")
    staged.world.history.clear()
    ended = staged.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=3)
    assert live[0] in ended.text
    assert staged.changed() == []
    shutil.rmtree(staged.folder / "release")
    staged.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=3)
    assert staged.live() == live


def test_its_checks_are_those_that_were_recorded(staged: Shop) -> None:
    """The file says less by now: what staging was judged by still holds."""
    staged.edit("expect: {json: {status: healthy}}", "expect: {json: {status: whatever}}")
    new = staged.live()[0]
    staged.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=0)
    staged.all_serve(new)


def test_what_differs_on_purpose_stays_as_this_environment_has_it(staged: Shop) -> None:
    staged.edit("on: [web2, web3], rollout", "on: [web2, web3], soak: 1s, rollout")
    ended = staged.gapless("promote", "-e", "production", "--from", "staging", "--dry-run", code=0)
    assert "soak as this environment has it" in ended.text


def test_a_migration_that_was_skipped_there_is_skipped_here(staged: Shop) -> None:
    schema = Schema(staged)
    staged.release("3")
    staged.gapless("deploy", "-e", "staging", "--yes", "--skip-migrations", code=0)
    assert schema.ran == []
    staged.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=0)
    assert schema.ran == []
    staged.release("4")
    staged.gapless("deploy", "-e", "staging", "--yes", code=0)
    staged.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=0)
    assert schema.ran == ["web1 up", "web2 up"]


PROMOTE = ("promote", "-e", "production", "--from", "staging", "--yes")
FILE = "    config: [{file: extra.conf, to: /etc/api/extra.conf}]\n"


def test_what_it_would_bring_besides_was_not_verified(staged: Shop) -> None:
    """The file has configuration by now, and staging was deployed without."""
    (staged.folder / "extra.conf").write_text("extra 1\n")
    staged.edit("    balancer: edge\n", f"    balancer: edge\n{FILE}")
    live = staged.live()
    ended = staged.gapless(*PROMOTE, code=3)
    text = ended.text.replace("GL-201 ", "")  # where the line is as wide as the screen
    assert "would not be deployed here as it was in staging: config is brought" in text
    assert "verified in staging: code here: code, config" in ended.text
    assert "gapless deploy -e staging api, then promote again" in ended.text
    assert staged.live() == live
    staged.gapless("deploy", "-e", "staging", "--yes", code=0)
    staged.gapless(*PROMOTE, code=0)
    staged.all_serve(live[0])


def test_what_it_would_not_bring_any_more_is_refused_too(staged: Shop) -> None:
    (staged.folder / "extra.conf").write_text("extra 1\n")
    staged.edit("    balancer: edge\n", f"    balancer: edge\n{FILE}")
    staged.release("3")
    staged.gapless("deploy", "-e", "staging", "--yes", code=0)
    staged.edit(FILE, "")
    ended = staged.gapless(*PROMOTE, code=3)
    assert "config is not brought by now" in ended.text.replace("GL-201 ", "")


def test_what_the_environments_bring_differently_is_told(staged: Shop) -> None:
    """Only production has the file, on purpose."""
    (staged.folder / "extra.conf").write_text("extra 1\n")
    own = "on: [web2, web3], config: [{file: extra.conf, to: /etc/api/extra.conf}]"
    staged.edit("on: [web2, web3]", own)
    new = staged.live()[0]
    plan = staged.gapless(*PROMOTE[:-1], "--dry-run", code=0)
    told = "api: config is brought here, and not in staging, as the file says"
    assert told in plan.text
    staged.gapless(*PROMOTE, code=0)
    staged.all_serve(new)


def test_staging_that_runs_something_nobody_verified(staged: Shop) -> None:
    host = staged.host("web1")
    other = f"/srv/api/releases/{staged.live()[1]}"
    host.files.link(other, "/srv/api/current")
    ended = staged.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=3)
    assert "no rollout verified it there" in ended.text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--from", "production"), "production is where it would go to, too"),
        (("--from", "stagin"), "unknown environment 'stagin'"),
        (("--batch", "2"), "need --from"),
        (("--from", "staging", "nosuch"), "nosuch"),
    ],
)
def test_what_makes_no_sense_is_said(staged: Shop, words: tuple[str, ...], told: str) -> None:
    ended = staged.gapless("promote", "-e", "production", *words, "--yes", code=2)
    assert told in ended.text


def test_what_was_caught_up_there_is_migrated_here(shop: Shop) -> None:
    """The newest rollout that ended well there is a catch-up, which never migrates."""
    shop.world._hooks.clear()
    tolerant = "rollout: {canary: 0, max_failed: 1, max_unavailable: 2}"
    both = ENVIRONMENTS.replace("[web1], rollout: {canary: 0}", f"[web1, web2], {tolerant}")
    text = (shop.folder / "gapless.yaml").read_text()
    shop.config(text + both.replace("[web2, web3]", "[web3]"))
    schema = Schema(shop)
    shop.release("2")
    shop.host("web2").cut(1e9)
    shop.gapless("deploy", "-e", "staging", "--yes", code=5)
    shop.host("web2").unreachable_until = 0.0
    shop.gapless("catch-up", "-e", "staging", "--yes", code=0)
    assert schema.ran == ["web1 up"]
    shop.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=0)
    assert schema.ran == ["web1 up", "web3 up"]


def test_what_was_forced_was_not_verified(staged: Shop) -> None:
    staged.release("3")
    forced = ("--force", "--reason", "it must go out")
    staged.gapless("deploy", "-e", "staging", "--yes", *forced, code=0)
    live = staged.live()
    ended = staged.gapless("promote", "-e", "production", "--from", "staging", "--yes", code=3)
    assert "no rollout verified it there" in ended.text
    assert staged.live() == live


def test_a_migration_that_staging_had_none_of_is_told(staged: Shop) -> None:
    """The file has one by now: what was verified is repeated, and that did not migrate."""
    schema = Schema(staged)
    plan = staged.gapless(*PROMOTE[:-1], "--dry-run", code=0).text
    assert "api: migrate of the file is not run: staging, rollout r" in plan
    assert "had none (migrate up)" in plan
    staged.gapless(*PROMOTE, code=0)
    assert schema.ran == []


def test_a_migration_that_was_skipped_there_is_told(staged: Shop) -> None:
    Schema(staged)
    staged.release("3")
    staged.gapless("deploy", "-e", "staging", "--yes", "--skip-migrations", code=0)
    plan = staged.gapless(*PROMOTE[:-1], "--dry-run", code=0).text
    assert "api: its migration was skipped in staging, rollout r" in plan


def test_the_live_schema_that_an_older_release_comes_to_is_told(staged: Shop) -> None:
    """Staging runs a release of schema 1 that reads 2; production is on 2."""
    schema = Schema(staged)
    version = staged.folder / "release" / "VERSION"
    declared = "to: /srv/api, schema: {file: VERSION, reads: [1, 2]}}"
    staged.edit("to: /srv/api}", declared)
    for number, environment in ((1, "staging"), (2, "production")):
        version.write_text(f"{number}\n")
        staged.release(f"of schema {number}")
        staged.gapless("deploy", "-e", environment, "--yes", code=0)
    assert schema.version == 2
    version.write_text("1\n")
    old = staged.release("of schema 1")
    plan = staged.gapless(*PROMOTE[:-1], "--dry-run", code=0).text
    assert f"api: the schema stays at 2, which {old} reads" in plan
