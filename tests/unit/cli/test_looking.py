"""Verbs that only look: history, events, lock, explain, schema, check, init, completion."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.cli.asking import units_here
from gapless.cli.exit_codes import MEANINGS, ExitCode
from gapless.cli.explaining import error_kinds, key_docs
from gapless.config.source import load_config
from gapless.events.event import TYPES, Event
from gapless.render.codes import ADVICE, GUIDES
from gapless.report.outcome import EXIT_CODES
from tests.unit.cli.conftest import Api, Ended
from tests.unit.render import streams

Run = Callable[..., Ended]


def test_history(api: Api, gl: Run) -> None:
    ended = gl("history")
    assert "rtouehn-7f3a" in ended.out
    assert "restored" in ended.out
    assert json.loads(gl("history", "--json").out)[0]["id"] == "rtouehn-7f3a"


def test_history_of_one_is_its_report(api: Api, gl: Run) -> None:
    assert gl("history", "rtouehn-7f3a").out.startswith("✗  shop.api on web3")


def test_no_history(api: Api, gl: Run) -> None:
    api.journal.rows = []
    assert gl("history").out == "No rollout yet.\n"
    assert gl("watch").code == 2


def test_events(api: Api, gl: Run) -> None:
    ended = gl("events", "rtouehn-7f3a")
    assert len(ended.out.splitlines()) == len(api.journal.stream)
    assert "step.failed" in ended.out


def test_events_json_narrowed_and_after(api: Api, gl: Run) -> None:
    lines = gl("events", "--json", "--type", "rollout.", "--after", "1").out.splitlines()
    events = [Event.from_json(json.loads(line)) for line in lines]
    assert [event.type for event in events] == ["rollout.started", "rollout.failed"]


def test_events_into_a_closed_pipe_are_quiet() -> None:
    program = (
        "import sys; from gapless.cli.main import run; from gapless.cli.listing import EventLines;"
        "from gapless.events.event import Event; import gapless.cli.main as m;"
        "lines = EventLines((), as_json=True);"
        "m._command = lambda w: [lines.show(Event('x')) for _ in range(100000)] and 0;"
        "sys.exit(run([]))"
    )
    done = subprocess.run(
        ["sh", "-c", f'{sys.executable} -c "{program}" | head -1'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_lock(api: Api, gl: Run) -> None:
    assert "bob" in gl("lock").out
    assert json.loads(gl("lock", "--json").out)[0]["rollout"] == "rtoudvw-6e21"


def test_lock_break_asks_for_a_reason_and_consent(api: Api, gl: Run) -> None:
    assert gl("lock", "break", "shop.api", "--yes").code == 2
    assert gl("lock", "break", "shop.api", "--reason", "bob is gone").code == 2
    ended = gl("lock", "break", "shop.api", "--reason", "bob is gone", "--yes")
    assert (ended.code, "Rollout rtoudvw-6e21 of bob on deploy1" in ended.err) == (0, True)
    assert api.called("break_lock") == {"service": "shop.api", "reason": "bob is gone"}


def test_hosts_that_still_obey_a_broken_lock_are_named(api: Api, gl: Run) -> None:
    api.unreachable = ("web2", "web3")
    ended = gl("lock", "break", "shop.api", "--reason", "bob is gone", "--yes")
    assert ended.code == 5
    assert "gapless doctor --hosts web2,web3" in ended.err


@pytest.mark.parametrize("kind", list(error_kinds()), ids=lambda kind: kind.code)
def test_every_code_is_explained(kind: type, gl: Run) -> None:
    code = kind.code  # type: ignore[attr-defined]
    assert code in ADVICE
    assert code in gl("explain", code.lower()).out


@pytest.mark.parametrize("name", TYPES)
def test_every_event_is_explained(name: str, gl: Run) -> None:
    assert TYPES[name] in gl("explain", name).out


def test_keys_are_explained(gl: Run) -> None:
    assert "Instances replaced at the same time" in gl("explain", "services.rollout.batch").out
    assert "services.rollout.batch" in gl("explain", "rollout.batch").out
    assert len(dict(key_docs())) > 60


def test_exit_codes_are_explained(gl: Run) -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert {code.value for code in ExitCode} >= set(EXIT_CODES.values())
    assert len(gl("explain", "exit-codes").out.splitlines()) == len(ExitCode)


def test_unknown_words_name_what_is_near(gl: Run) -> None:
    ended = gl("explain", "step.faild")
    assert (ended.code, "step.failed" in ended.err) == (2, True)


def test_schema(gl: Run) -> None:
    assert json.loads(gl("schema").out)["title"] == "gapless.yaml"


def test_init_writes_what_check_accepts(
    gl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = gl(
        "init", "--yes", "--project", "shop", "--host", "web[1:3].shop.example", "--unit",
        "shop-api.service", "--health", "http://localhost:3001/health", "--haproxy", "",
        "--user", "deploy",
    )  # fmt: skip
    assert ended.code == 0
    assert "gapless check" in ended.err
    checked = gl("check")
    assert (checked.code, "1 service on 3 hosts, no problems" in checked.out) == (0, True)
    assert load_config("gapless.yaml").project.project == "shop"
    assert gl("init", "--yes").code == 2
    assert gl("init", "--yes", "--overwrite").code == 0


def test_check_counts_each_environment_and_names_one(gl: Run, tmp_path: Path) -> None:
    file = tmp_path / "envs.yaml"
    file.write_text(
        "project: shop\nservices: {api: {on: [web], systemd: api.service}}\nenvironments:\n"
        "  staging: {hosts: {a: {groups: [web]}}}\n"
        "  production: {hosts: {'b[1:2]': {groups: [web]}}}\n"
    )
    ended = gl("check", "-c", str(file))
    counts = "staging: 1 service on 1 host, production: 1 service on 2 hosts, no problems"
    assert (ended.code, counts in ended.out) == (0, True)
    assert f"gapless doctor -c {file} -e staging" in ended.out
    one = gl("check", "-c", str(file), "-e", "production")
    assert "production: 1 service on 2 hosts" in one.out
    assert f"gapless doctor -c {file} -e production" in one.out


def test_check_tells_all_problems(gl: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("project: shop\nhosts: {web1: {}}\nservices: {a: {on: [web9], halth: {}}}\n")
    ended = gl("check", "-c", str(file), "--json")
    assert ended.code == 2
    problems = json.loads(ended.out)["error"]["problems"]
    assert len(problems) >= 2
    assert f"{file}:3:" in ended.err


def test_units_somebody_wrote_by_hand(tmp_path: Path) -> None:
    (tmp_path / "shop.service").touch()
    (tmp_path / "shop@.service").touch()
    (tmp_path / "other.service").symlink_to(tmp_path / "shop.service")
    assert units_here(tmp_path) == ("shop.service",)
    assert units_here(tmp_path / "none") == ()


def test_plain_tables_are_aligned(api: Api, gl: Run) -> None:
    header, row = gl("lock").out.splitlines()
    assert header.index("OWNER") == row.index("bob")
    assert streams.T0 > 0


def test_a_code_may_be_its_number_and_names_the_page_that_helps(gl: Run) -> None:
    assert gl("explain", "402").out == gl("explain", "GL-402").out
    assert "docs/how-to/troubleshooting.md#health-check-failing" in gl("explain", "402").out
    for page in GUIDES.values():
        assert (Path(__file__).parents[3] / "docs" / page.partition("#")[0]).is_file(), page
