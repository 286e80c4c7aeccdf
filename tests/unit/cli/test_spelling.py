"""Commands that are told repeat -c and -e."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gapless.errors import UsageError
from gapless.planning.store import load
from gapless.render.spelling import remember, spelled
from tests.unit.cli.conftest import Api, Ended
from tests.unit.render import streams

Run = Callable[..., Ended]


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("gapless deploy two.json", "gapless deploy -c b.yaml -e prod two.json"),
        ("gapless lock break api", "gapless lock -c b.yaml -e prod break api"),
        ("mend it, then: gapless plan", "mend it, then: gapless plan -c b.yaml -e prod"),
        ("gapless check -c FILE", "gapless check -c FILE"),
        ("gapless build tt.api", "gapless build -c b.yaml -e prod tt.api"),
        ("gapless status -e staging api", "gapless status -c b.yaml -e staging api"),
        ("gapless admit api@h1", "gapless admit -c b.yaml -e prod api@h1"),
        ("gapless explain exit-codes", "gapless explain exit-codes"),
        ("see gapless.yaml", "see gapless.yaml"),
    ],
)
def test_every_verb_that_takes_them(told: str, wanted: str) -> None:
    remember("b.yaml", "prod", "gapless.yaml")
    assert spelled(told) == wanted
    remember("gapless.yaml", None, "gapless.yaml")
    assert spelled(told) == told


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (
            "gapless status api; then gapless deploy api",
            "gapless status -c b.yaml api; then gapless deploy -c b.yaml --hosts h3 api",
        ),
        ("gapless plan deploy api", "gapless plan -c b.yaml --hosts h3 deploy api"),
        ("gapless deploy api --hosts h1", "gapless deploy -c b.yaml api --hosts h1"),
        ("gapless deploy p.json", "gapless deploy -c b.yaml p.json"),
        ("gapless doctor", "gapless doctor -c b.yaml"),
    ],
)
def test_the_same_verb_is_told_for_no_more_hosts_than_were_asked_for(
    told: str, wanted: str
) -> None:
    remember("b.yaml", None, "gapless.yaml", "deploy", "h3")
    assert spelled(told) == wanted
    remember("gapless.yaml", None, "gapless.yaml")


def test_a_failed_deploy_of_some_hosts_is_tried_again_on_these(api: Api, gl: Run) -> None:
    api.stream = streams.not_ready
    ended = gl("deploy", "--yes", "-c", "two.yaml", "--hosts", "web3", "--progress", "quiet")
    assert "gapless deploy -c two.yaml --hosts web3 shop.api" in ended.out


def test_reports_and_errors_are_spelled(api: Api, gl: Run) -> None:
    api.stream = streams.not_ready
    ended = gl("deploy", "--yes", "-c", "two.yaml", "--progress", "quiet")
    assert "gapless deploy -c two.yaml shop.api" in ended.out
    api.problem = UsageError("no", next="gapless history")
    assert "gapless history -c two.yaml" in gl("restart", "--yes", "-c", "two.yaml").err


def test_a_written_plan_is_told_with_its_file(api: Api, gl: Run, tmp_path: object) -> None:
    ended = gl("plan", "deploy", "-c", "two.yaml", "-o", f"{tmp_path}/p.json")
    assert f"gapless deploy -c two.yaml {tmp_path}/p.json" in ended.err


def test_a_plan_that_is_not_there_is_made_for_its_verb(api: Api, gl: Run) -> None:
    ended = gl("deploy", "nope.json", "--yes")
    assert (ended.code, "gapless plan deploy -o nope.json" in ended.err) == (2, True)


def test_a_file_that_is_no_plan_is_never_written_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(UsageError, match="is not a plan") as refused:
        load("plan.json")
    assert refused.value.next == "gapless plan -o plan-2.json"
