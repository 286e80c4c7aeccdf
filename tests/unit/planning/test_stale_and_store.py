from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from gapless.config.source import Loaded
from gapless.errors import Refused, StalePlan, UsageError
from gapless.model import InstanceState
from gapless.planning import Seen, Survey, differences, make_plan
from gapless.planning.stale import refuse_when_stale
from gapless.planning.store import load, save
from gapless.plans import Plan, Verb
from tests.unit.config.shop import loaded
from tests.unit.planning.test_make import TARGETS, V42, seen, survey_of


@pytest.fixture
def shop(tmp_path: Path) -> Loaded:
    return loaded(tmp_path)


@pytest.fixture
def plan(shop: Loaded) -> Plan:
    return make_plan(shop, verb=Verb.DEPLOY, targets=TARGETS, survey=survey_of())


class TestStale:
    def test_the_same_world(self, plan: Plan) -> None:
        assert differences(plan, survey_of()) == ()
        refuse_when_stale(plan, survey_of())

    def test_another_state_is_for_preflight_to_judge(self, plan: Plan) -> None:
        assert differences(plan, survey_of(web1=seen(state=InstanceState.FAILED))) == ()

    def test_every_difference_is_told(self, plan: Plan) -> None:
        now = survey_of(web1=seen(fingerprint="f9"), web2=seen(V42), web3=Seen(error="no route"))
        assert differences(plan, now) == (
            "shop.api@web1.shop.example: its unit changed",
            "shop.api@web2.shop.example: runs release v42, the plan saw v41",
            "shop.api@web3.shop.example: cannot be seen now (no route)",
        )
        with pytest.raises(StalePlan, match="3 things changed") as caught:
            refuse_when_stale(plan, now)
        assert "web2" in caught.value.evidence
        assert caught.value.next == "gapless plan deploy shop.api"

    def test_a_release_that_is_gone(self, plan: Plan) -> None:
        assert differences(plan, survey_of(web1=seen(None))) == (
            "shop.api@web1.shop.example: runs release none, the plan saw v41",
        )

    def test_a_host_that_is_not_there_any_more(self, plan: Plan) -> None:
        assert len(differences(plan, Survey())) == 4

    def test_what_was_never_seen_cannot_differ(self, shop: Loaded) -> None:
        assert differences(make_plan(shop, verb=Verb.RESTART), survey_of()) == ()


class TestStore:
    def test_it_comes_back_and_is_private(self, plan: Plan, tmp_path: Path) -> None:
        file = tmp_path / "plan.json"
        save(plan, file)
        assert load(file) == plan
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.glob("*plan*")] == ["plan.json"]

    def test_an_older_file_is_replaced(self, plan: Plan, tmp_path: Path) -> None:
        file = tmp_path / "plan.json"
        file.write_text("old")
        file.chmod(0o644)
        save(plan, file)
        assert load(file) == plan
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_an_edited_plan_is_refused(self, plan: Plan, tmp_path: Path) -> None:
        file = tmp_path / "plan.json"
        save(plan, file)
        data = json.loads(file.read_text())
        data["plan"]["services"][0]["max_failed"] = 99
        file.write_text(json.dumps(data))
        with pytest.raises(Refused, match="changed after it was made"):
            load(file)

    @pytest.mark.parametrize(
        "content",
        ["", "{", "[]", "{}", '{"kind": "gapless-plan"}', '{"kind": "gapless-plan", "plan": []}',
         '{"kind": "gapless-plan", "digest": "x", "plan": {"schema": 99}}'],
    )  # fmt: skip
    def test_what_is_no_plan(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "plan.json"
        file.write_text(content)
        with pytest.raises(UsageError, match="is not a plan"):
            load(file)

    def test_no_file_no_folder(self, plan: Plan, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no"):
            load(tmp_path / "plan.json")
        with pytest.raises(UsageError, match="cannot be written"):
            save(plan, tmp_path / "no" / "plan.json")
        with pytest.raises(UsageError, match="cannot be read"):
            load(tmp_path)


def test_a_place_that_cannot_be_written_says_where_to_look(tmp_path: Path) -> None:
    plan = Plan("shop", Verb.RESTART, (), {})
    with pytest.raises(UsageError) as caught:
        save(plan, tmp_path / "no where" / "x")
    assert caught.value.next == f"ls -ld '{tmp_path}/no where'"
