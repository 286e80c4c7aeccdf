from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gapless import schedule
from gapless.config.source import Loaded
from gapless.drivers.releases.base import ReleaseRef
from gapless.errors import NoWayBack, Refused, UsageError
from gapless.model import Instance, InstanceState, Observation
from gapless.planning import PlanOptions, Seen, Survey, Target, make_plan
from gapless.plans import Plan, StepKind, Untouched, Verb, from_json, to_json
from tests.unit.config.shop import SHOP, loaded

V41, V42 = (
    ReleaseRef("v41", schema=7, reads=(7, 8)),
    ReleaseRef("v42", schema=8, path="/srv/shop/api/releases/v42"),
)
WEB = tuple(f"web{n}.shop.example" for n in (1, 2, 3, 4))
TARGETS = {"shop.api": Target(V42)}


@pytest.fixture
def shop(tmp_path: Path) -> Loaded:
    return loaded(tmp_path)


def seen(
    release: ReleaseRef | None = V41,
    state: InstanceState = InstanceState.RUNNING,
    fingerprint: str = "f0",
) -> Seen:
    return Seen(Observation(state, "id"), fingerprint, release)


def survey_of(**changed: Seen) -> Survey:
    """All of the shop as it should be, but for web1=…, web2=… and so on."""
    answers = {Instance("shop.api", host): changed.get(host[:4], seen()) for host in WEB}
    return Survey({**answers, Instance("shop.postgresql", "db1.shop.example"): seen(None)})


def batches(plan: Plan, service: str) -> dict[str, tuple[str, ...]]:
    return {batch.name: batch.hosts for batch in plan.service(service).batches}


class TestRestart:
    def test_everything_in_dependency_order(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.RESTART, now=7.0)
        assert [(s.name, s.wave, s.after) for s in plan.services] == [
            ("shop.postgresql", 1, ()),
            ("shop.api", 2, ("shop.postgresql",)),
        ]
        assert batches(plan, "shop.api") == {
            "canary1": (WEB[0],),
            "batch1": (WEB[1],),
            "batch2": (WEB[2],),
            "batch3": (WEB[3],),
        }
        assert (plan.untouched, plan.observed, plan.created) == ((), False, 7.0)

    def test_floor_and_totals(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.RESTART, hosts="web1*")
        assert (plan.service("shop.api").total, plan.service("shop.api").floor) == (4, 3)

    def test_a_single_instance_is_said_to_be_down(self, shop: Loaded) -> None:
        service = make_plan(shop, verb=Verb.RESTART).service("shop.postgresql")
        assert service.floor == 0
        assert service.notes == ("shop.postgresql has one instance: it is down during its restart",)

    def test_dependencies_nobody_asked_for_are_left_alone_and_listed(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.RESTART, services=["shop.api"])
        assert [service.name for service in plan.services] == ["shop.api"]
        assert plan.services[0].after == ()
        assert plan.untouched == (
            Untouched("shop.postgresql", ("db1.shop.example",), "not asked for"),
        )

    def test_hosts_nobody_asked_for_too(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.RESTART, services=["shop.api"], hosts="web,!web1*")
        assert batches(plan, "shop.api")["canary1"] == (WEB[1],)
        assert plan.untouched[0] == Untouched("shop.api", (WEB[0],), "not asked for")

    def test_a_service_without_any_host_asked_for(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.RESTART, hosts="db")
        assert [service.name for service in plan.services] == ["shop.postgresql"]

    def test_what_was_seen_is_written_down(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.RESTART, survey=survey_of(web2=Seen(error="no answer")))
        api = plan.service("shop.api")
        assert plan.observed
        assert dict(api.fingerprints) == {host: "f0" for host in WEB if host != WEB[1]}
        assert dict(api.from_) == {host: "v41" for host in WEB if host != WEB[1]}

    def test_what_cannot_be_touched_is_left_out_listed_and_counted(self, shop: Loaded) -> None:
        away = Seen(error="web2: no route", reason="unreachable: no route")
        gone = seen(state=InstanceState.MISSING)
        plan = make_plan(shop, verb=Verb.RESTART, survey=survey_of(web2=away, web3=gone))
        api = plan.service("shop.api")
        assert api.hosts == (WEB[0], WEB[3])
        missing = "missing: there is no such unit shop-api.service"
        assert dict(api.absent) == {WEB[1]: "unreachable: no route", WEB[2]: missing}
        assert Untouched("shop.api", (WEB[1],), "unreachable: no route") in plan.untouched
        assert Untouched("shop.api", (WEB[2],), missing) in plan.untouched
        notes = " ".join(api.notes)
        assert "refused as things are" in notes
        assert "no other instance may go out" in notes
        assert from_json(json.loads(json.dumps(to_json(plan)))) == plan

    def test_a_service_that_nobody_answers_for_is_no_good_news(self, shop: Loaded) -> None:
        away = Seen(error="no route")
        every = survey_of(web1=away, web2=away, web3=away, web4=away)
        plan = make_plan(shop, verb=Verb.RESTART, services=["shop.api"], survey=every)
        assert [s.name for s in plan.services] == ["shop.api"]
        assert list(plan.instances()) == []

    def test_options_replace_what_the_file_says(self, shop: Loaded) -> None:
        options = PlanOptions(canary="0", batch="2", max_failed=3, on_failure="stop")
        api = make_plan(shop, verb=Verb.RESTART, options=options).service("shop.api")
        assert (api.max_failed, api.on_failure) == (3, "stop")
        assert [len(batch.hosts) for batch in api.batches] == [1, 1, 1, 1]
        assert "shop.api: 2 at once were asked for, 1 at once keep the floor" in api.notes

    @pytest.mark.parametrize(
        "options",
        [
            {"batch": "x"},
            {"canary": "101%"},
            {"batch": "0"},
            {"max_failed": -1},
            {"on_failure": "x"},
        ],
    )
    def test_options_are_checked(self, options: Mapping[str, str | int]) -> None:
        with pytest.raises(UsageError):
            PlanOptions(**options)  # type: ignore[arg-type]

    def test_unknown_services_and_hosts(self, shop: Loaded) -> None:
        with pytest.raises(UsageError, match=r"did you mean 'shop\.api'"):
            make_plan(shop, verb=Verb.RESTART, services=["shop.apy"])
        with pytest.raises(UsageError, match="unknown host"):
            make_plan(shop, verb=Verb.RESTART, hosts="wbe")

    def test_force_is_written_into_the_plan(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.RESTART, options=PlanOptions(force="site is down"))
        assert plan.force == "site is down"
        assert all(
            f"{s.name}: health gates are skipped: site is down" in s.notes for s in plan.services
        )

    def test_instances_out_already_make_batches_smaller(self, tmp_path: Path) -> None:
        text = SHOP.replace("batch: 25%, max_unavailable: 1", "batch: 2, max_unavailable: 2")
        plan = make_plan(
            loaded(tmp_path, text),
            verb=Verb.RESTART,
            services=["shop.api"],
            hosts="web,!web4*",
            options=PlanOptions(canary=0),
            survey=survey_of(web4=seen(state=InstanceState.FAILED)),
        )
        assert [len(b.hosts) for b in plan.services[0].batches] == [1, 1, 1]
        assert (
            "shop.api: web4.shop.example (failed) is not running and left alone; the floor of 2"
            " counts without them"
        ) in plan.services[0].notes


class TestDeploy:
    def test_only_services_with_a_release(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.DEPLOY, targets=TARGETS, survey=survey_of())
        assert [service.name for service in plan.services] == ["shop.api"]
        assert plan.services[0].to == V42.to_json()
        assert StepKind.STAGE in plan.services[0].steps
        assert plan.untouched == (
            Untouched("shop.postgresql", ("db1.shop.example",), "has no release to deploy"),
        )

    def test_hosts_on_the_release_already_are_left_alone(self, shop: Loaded) -> None:
        survey = survey_of(web1=seen(V42), web3=seen(V42, InstanceState.FAILED))
        plan = make_plan(
            shop, verb=Verb.DEPLOY, services=["shop.api"], targets=TARGETS, survey=survey
        )
        assert plan.services[0].hosts == WEB[1:]
        assert plan.untouched[0] == Untouched("shop.api", (WEB[0],), "already on v42")

    def test_nothing_to_do_is_an_empty_plan(self, shop: Loaded) -> None:
        every = {host[:4]: seen(V42) for host in WEB}
        plan = make_plan(shop, verb=Verb.DEPLOY, targets=TARGETS, survey=survey_of(**every))
        assert (plan.services, plan.expected) == ((), 0.0)
        assert [left.why for left in plan.untouched] == [
            "has no release to deploy",
            "already on v42",
        ]
        assert plan.definitions["project"]["hosts"] == {}

    def test_another_content_under_the_same_name_is_something_new(self, shop: Loaded) -> None:
        every = {host[:4]: seen(ReleaseRef("v42", digest="old")) for host in WEB}
        plan = make_plan(
            shop,
            verb=Verb.DEPLOY,
            targets={"shop.api": Target(ReleaseRef("v42", digest="new"))},
            survey=survey_of(**every),
        )
        assert plan.services[0].hosts == WEB

    @pytest.mark.parametrize(("fingerprint", "left"), [("f1", 0), ("f0", 4), ("", 0)])
    @pytest.mark.parametrize("rest", ["aa", "bb"])
    def test_a_unit_file_counts_as_well(
        self, tmp_path: Path, fingerprint: str, left: int, rest: str
    ) -> None:
        """Its drop-ins (the rest of the fingerprint) are the host's own."""
        text = SHOP.replace("reload: try", "file: api.service")
        every = {host[:4]: seen(V42, fingerprint=f"f0:{rest}") for host in WEB}
        plan = make_plan(
            loaded(tmp_path, text),
            verb=Verb.DEPLOY,
            targets={"shop.api": Target(V42, fingerprint)},
            survey=survey_of(**every),
        )
        assert sum(len(u.hosts) for u in plan.untouched if u.service == "shop.api") == left

    def test_a_release_that_nobody_resolved_is_a_mistake_of_the_program(self, shop: Loaded) -> None:
        with pytest.raises(ValueError, match=r"shop\.api needs its resolved release"):
            make_plan(shop, verb=Verb.DEPLOY)

    def test_undo_and_migrations(self, shop: Loaded) -> None:
        api = make_plan(shop, verb=Verb.DEPLOY, targets=TARGETS).service("shop.api")
        assert api.notes == (
            "shop.api: its migration runs once, before the first instance:"
            " ./node_modules/.bin/prisma migrate deploy; undo does not take it back (migrate.down"
            " is not given)",
        )
        skipped = PlanOptions(skip_migrations=True)
        plan = make_plan(shop, verb=Verb.DEPLOY, targets=TARGETS, options=skipped)
        assert plan.skip_migrations
        assert plan.services[0].notes == ("shop.api: its migration is skipped",)
        assert StepKind.MIGRATE not in plan.services[0].steps

    def test_reload_only_is_explained(self, tmp_path: Path) -> None:
        text = SHOP.replace("reload: try", "reload: only")
        plan = make_plan(loaded(tmp_path, text), verb=Verb.DEPLOY, targets=TARGETS)
        assert any("the process keeps its code" in note for note in plan.services[0].notes)


class TestSchemaGuard:
    def deploy(
        self, shop: Loaded, release: ReleaseRef, live: int, *, skip: bool = False
    ) -> tuple[str, ...]:
        survey = Survey(survey_of().seen, {"shop.api": live})
        plan = make_plan(
            shop,
            verb=Verb.DEPLOY,
            targets={"shop.api": Target(release)},
            survey=survey,
            options=PlanOptions(skip_migrations=skip),
        )
        return plan.service("shop.api").notes

    def test_forward_is_fine(self, shop: Loaded) -> None:
        self.deploy(shop, V42, live=7)
        self.deploy(shop, V42, live=8)

    def test_what_an_abort_could_not_go_back_from_is_refused(self, shop: Loaded) -> None:
        newer = ReleaseRef("v43", schema=9)
        with pytest.raises(NoWayBack, match="an abort could not go back from schema 9 to v41"):
            self.deploy(shop, newer, live=8)
        self.deploy(shop, ReleaseRef("v43", schema=9, reads=(8, 9)), live=8, skip=True)

    def test_back_past_a_migration_is_refused(self, shop: Loaded) -> None:
        with pytest.raises(NoWayBack, match="works with schema 8, 9 is live"):
            self.deploy(shop, V42, live=9)

    def test_a_release_that_reads_newer_data_may_go_back(self, shop: Loaded) -> None:
        self.deploy(shop, ReleaseRef("v42", schema=8, reads=(7, 9)), live=9)

    def test_down_makes_it_possible_and_is_announced(self, tmp_path: Path) -> None:
        down = "migrate deploy, down: './down {version}'"
        unknown = loaded(tmp_path, SHOP.replace("migrate deploy}", f"{down}}}"))
        with pytest.raises(NoWayBack, match=r"only where migrate\.current tells that"):
            self.deploy(unknown, V42, live=9)
        shop = loaded(tmp_path, SHOP.replace("migrate deploy}", f"{down}, current: ./version}}"))
        notes = self.deploy(shop, V42, live=9)
        (note,) = notes
        assert "first of all the schema goes back from 9 to 8: ./down 8; undo does not" in note
        with pytest.raises(Refused, match=r"migrations are skipped: migrate\.down, too"):
            self.deploy(shop, V42, live=9, skip=True)

    def test_what_the_live_schema_means_for_an_older_release_is_told(self, shop: Loaded) -> None:
        older = ReleaseRef("v40", schema=7, reads=(6, 9))
        assert "shop.api: the schema stays at 9, which v40 reads" in self.deploy(
            shop, older, live=9
        )
        none = "shop.api: schema 9 is live, and v40 does not declare what it reads"
        assert none in self.deploy(shop, ReleaseRef("v40"), live=9)

    def test_an_abort_goes_down_wherever_there_is_a_way(self, tmp_path: Path) -> None:
        """Also where the old release could live with it; but not without the version before."""
        keys = "migrate deploy, down: './down {version}', current: ./version}"
        shop = loaded(tmp_path, SHOP.replace("migrate deploy}", keys))
        newer = ReleaseRef("v43", schema=9)
        told = self.deploy(shop, newer, live=8)
        assert "shop.api: the schema goes from 8 to 9; an abort takes it back by migrate.down" in (
            told
        )
        unknown = keys.replace(", current: ./version", "")
        with pytest.raises(NoWayBack) as refused:
            self.deploy(loaded(tmp_path, SHOP.replace("migrate deploy}", unknown)), newer, live=8)
        assert "migrate.down needs migrate.current" in refused.value.evidence

    def test_skipped_migrations_that_are_needed_are_refused(self, shop: Loaded) -> None:
        with pytest.raises(Refused, match="needs schema 8, 7 is live, and migrations are skipped"):
            self.deploy(shop, V42, live=7, skip=True)

    def test_no_migration_where_one_is_needed(self, tmp_path: Path) -> None:
        text = SHOP.replace("    migrate: {run: ./node_modules/.bin/prisma migrate deploy}\n", "")
        with pytest.raises(Refused, match="it has no migrate"):
            self.deploy(loaded(tmp_path, text), V42, live=7)

    def test_without_a_reported_version_the_newest_live_release_speaks(self, shop: Loaded) -> None:
        survey = survey_of(web3=seen(ReleaseRef("v43", schema=9)))
        with pytest.raises(NoWayBack):
            make_plan(shop, verb=Verb.DEPLOY, targets=TARGETS, survey=survey)

    def test_nobody_knows(self, shop: Loaded) -> None:
        make_plan(shop, verb=Verb.DEPLOY, targets=TARGETS)
        make_plan(shop, verb=Verb.DEPLOY, targets={"shop.api": Target(ReleaseRef("x"))})


class TestEstimates:
    def test_history_knows_better(self, shop: Loaded) -> None:
        history = {"shop.api": 50.0}
        plan = make_plan(shop, verb=Verb.RESTART, services=["shop.api"], history=history)
        assert (plan.services[0].expected, plan.services[0].known) == (50.0, True)
        assert plan.expected == 4 * 50.0 + schedule.MIGRATION_SECONDS

    def test_but_not_of_a_soak_that_was_made_longer_since(self, tmp_path: Path) -> None:
        shop = loaded(tmp_path, SHOP.replace("balancer: edge", "balancer: edge\n    soak: 80s"))
        plan = make_plan(shop, verb=Verb.RESTART, history={"shop.api": 50.0})
        assert (plan.service("shop.api").expected, plan.service("shop.api").known) == (80.0, False)

    def test_then_the_file(self, tmp_path: Path) -> None:
        text = SHOP.replace("balancer: edge", "expected: 12s")
        plan = make_plan(loaded(tmp_path, text), verb=Verb.RESTART)
        assert (plan.service("shop.api").expected, plan.service("shop.api").known) == (12.0, False)

    def test_else_the_soak_and_middling_values(self, shop: Loaded) -> None:
        assert make_plan(shop, verb=Verb.RESTART).service("shop.postgresql").expected == 39.0

    def test_services_that_wait_for_each_other_add_up(self, shop: Loaded) -> None:
        plan = make_plan(shop, verb=Verb.RESTART)
        assert plan.expected == sum(schedule.service_seconds(s) for s in plan.services)
        assert schedule.priorities(plan.services)["shop.postgresql"] == plan.expected


def test_a_plan_survives_json(shop: Loaded) -> None:
    plan = make_plan(shop, verb=Verb.DEPLOY, targets=TARGETS, survey=survey_of())
    again = from_json(json.loads(json.dumps(to_json(plan))))
    assert again == plan and again.digest == plan.digest


def test_the_same_wish_makes_the_same_plan(shop: Loaded) -> None:
    one = make_plan(shop, verb=Verb.RESTART, survey=survey_of(), now=1.0)
    two = make_plan(shop, verb=Verb.RESTART, survey=survey_of(), now=2.0)
    assert one.digest == two.digest


edges = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda e: e[0] > e[1]))


@settings(max_examples=60, deadline=None)
@given(edges, st.sets(st.integers(0, 5)), st.integers(1, 9), st.integers(1, 9))
def test_any_project_any_wish(
    tmp_path_factory: pytest.TempPathFactory,
    after: set[tuple[int, int]],
    asked: set[int],
    hosts: int,
    limit: int,
) -> None:
    lines = ["project: a", f"hosts: {{'h[1:{hosts}]': {{groups: [g]}}}}", "services:"]
    for n in range(6):
        before = [f"s{b}" for a, b in sorted(after) if a == n]
        lines.append(
            f"  s{n}: {{on: g, systemd: u{n}, after: [{', '.join(before)}],"
            f" rollout: {{batch: {limit}, max_unavailable: {limit}}}}}"
        )
    found = loaded(tmp_path_factory.getbasetemp(), "\n".join(lines))
    names = [f"s{n}" for n in sorted(asked)]
    plan = make_plan(found, verb=Verb.RESTART, services=names)
    order = [service.name for service in plan.services]
    assert set(order) == set(names or found.project.services)
    for service in plan.services:
        assert sorted(service.hosts) == sorted(found.project.hosts)
        assert all(order.index(b) < order.index(service.name) for b in service.after)
        assert all(plan.service(b).wave < service.wave for b in service.after)
        assert all(len(batch.hosts) <= service.total - service.floor for batch in service.batches)
    assert not {left.service for left in plan.untouched} & set(order)
