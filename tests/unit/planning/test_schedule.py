from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gapless import schedule


def test_waves_and_order() -> None:
    after = {"web": ["api"], "api": ["db", "cache"], "db": [], "cache": []}
    assert schedule.waves(after) == {"db": 1, "cache": 1, "api": 2, "web": 3}
    assert schedule.ordered(after) == ("db", "cache", "api", "web")


def test_a_cycle_reads_as_who_comes_after_whom() -> None:
    assert schedule.cycles({"a": ["b"], "b": ["c"], "c": ["a"]})[0] in (
        ("a", "b", "c", "a"),
        ("b", "c", "a", "b"),
        ("c", "a", "b", "c"),
    )
    assert schedule.cycles({"a": ["a"]}) == (("a", "a"),)
    assert schedule.cycles({"a": ["b"], "b": []}) == ()


def test_order_holds_through_services_that_are_not_chosen() -> None:
    after = {"web": ["api"], "api": ["db"], "db": []}
    assert schedule.among(["web", "db"], after) == {"web": ("db",), "db": ()}


def test_those_that_must_be_apart_go_one_after_the_other_in_the_order_there_is() -> None:
    after = {"web": ["api"], "api": [], "db": []}
    apart = schedule.apart(after, {"web": ["db"], "api": ["web"]})
    assert apart == {"web": ("api", "db"), "api": (), "db": ()}
    assert schedule.apart(after, {}) == {"web": ("api",), "api": (), "db": ()}


def test_the_critical_path() -> None:
    seconds = {"a": 10.0, "b": 1.0, "c": 5.0, "d": 1.0}
    after = {"c": ["a"], "d": ["b"]}
    assert schedule.remaining(seconds, after) == {"a": 15.0, "b": 2.0, "c": 5.0, "d": 1.0}
    assert schedule.makespan(seconds, after, 4) == 15.0
    assert schedule.makespan(seconds, after, 2) == 15.0
    assert schedule.makespan(seconds, after, 1) == 17.0


def test_the_longest_chain_goes_first() -> None:
    seconds = {"short": 4.0, "long": 4.0, "tail": 10.0}
    assert schedule.makespan(seconds, {"tail": ["long"]}, 1) == 18.0
    assert schedule.makespan({**seconds, "other": 4.0}, {"tail": ["long"]}, 2) == 14.0


def test_nothing_takes_no_time() -> None:
    assert schedule.makespan({}, {}, 3) == 0.0


graphs = (
    st.integers(1, 12)
    .flatmap(
        lambda count: st.fixed_dictionaries(
            {
                f"s{n}": st.sets(st.sampled_from([f"s{m}" for m in range(n)] or ["s0"]))
                for n in range(count)
            }
        )
    )
    .map(lambda graph: {name: sorted(before - {name}) for name, before in graph.items()})
)


@given(graphs, st.data())
def test_dependencies_come_in_earlier_waves(
    graph: dict[str, list[str]], data: st.DataObject
) -> None:
    wave = schedule.waves(graph)
    assert all(wave[before] < wave[name] for name in graph for before in graph[name])
    chosen = [name for name in graph if data.draw(st.booleans())]
    among = schedule.among(chosen, graph)
    assert set(among) == set(chosen)
    assert all(set(before) <= set(chosen) for before in among.values())


@given(graphs, st.integers(1, 5))
def test_the_whole_takes_between_the_longest_chain_and_the_sum(
    graph: dict[str, list[str]], parallel: int
) -> None:
    seconds = {name: float(len(name) + len(before)) for name, before in graph.items()}
    whole = schedule.makespan(seconds, graph, parallel)
    assert max(schedule.remaining(seconds, graph).values()) <= whole <= sum(seconds.values())
    assert whole >= sum(seconds.values()) / parallel - 1e-9
