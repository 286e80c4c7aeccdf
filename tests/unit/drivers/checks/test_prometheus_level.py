"""A number of Prometheus, from answers as it gives them; the real one is in test_prometheus.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from gapless.config.verify_levels import LevelConfig
from gapless.drivers.checks.levels import Level
from gapless.drivers.checks.prometheus_level import PrometheusLevel
from gapless.errors import SourceUnavailable

from .reaching import reach
from .servers import Answers

QUERY = 'chronik_produce_latency_seconds{quantile="0.99",instance=~"{address}:.*"}'


def _vector(*values: str, at: float = 100.0) -> str:
    result = [{"metric": {"n": str(n)}, "value": [at, v]} for n, v in enumerate(values)]
    return _answer("vector", result)


def _answer(kind: str, result: Any) -> str:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}})


class _Server:
    """Answers by the beginning of the query."""

    def __init__(self, **answers: str) -> None:
        self.answers, self.asked = answers, []
        self.forms: list[dict[str, list[str]]] = []

    def __call__(self, method: str, path: str, body: str) -> tuple[int, str]:
        form = parse_qs(body)
        self.forms.append(form)
        if path.endswith("query_range"):
            return 200, self.answers["range"]
        aged = form["query"][0].startswith("timestamp(")
        return 200, self.answers["stamp" if aged else "now"]


def _ask(
    server: _Server, ask: Callable[[PrometheusLevel], Awaitable[Any]], query: str = QUERY
) -> Any:
    async def run() -> Any:
        answers = Answers(server)
        await answers.start()
        try:
            url = f"http://127.0.0.1:{answers.port}"
            config = LevelConfig(url=url, query=query, most=0.1)
            return await ask(PrometheusLevel(config, reach(address=lambda host: f"ip-{host}")))
        finally:
            await answers.stop()

    return asyncio.run(run())


def _now(**answers: str) -> Any:
    return _ask(_Server(**answers), lambda level: level.now("n1", 120.0))


def test_the_largest_counts_as_old_as_the_oldest() -> None:
    server = _Server(now=_vector("0.02", "0.07"), stamp=_vector("110.5", "95"))
    found = _ask(server, lambda level: level.now("n1", 120.0))
    assert found == Level(0.07, 95.0)
    asked = [form["query"][0] for form in server.forms]
    filled = QUERY.replace("{address}", "ip-n1")
    assert asked == [filled, f"timestamp({filled})"]


def test_a_quantile_of_nothing_is_no_value() -> None:
    assert _now(now=_vector("NaN"), stamp=_vector("100")) is None
    assert _now(now=_vector("NaN", "0.5"), stamp=_vector("100", "101")) == Level(0.5, 100.0)


def test_no_series_is_no_value() -> None:
    assert _now(now=_vector()) is None


def test_without_end_is_much() -> None:
    assert _now(now=_vector("+Inf"), stamp=_vector("100")) == Level(float("inf"), 100.0)


def test_a_scalar_is_as_old_as_the_question() -> None:
    assert _now(now=_answer("scalar", [120.0, "3"])) == Level(3.0, 120.0)


def test_what_was_before_is_the_largest_at_each_moment() -> None:
    matrix = [
        {"metric": {}, "values": [[1, "0.01"], [2, "NaN"], [3, "0.04"]]},
        {"metric": {}, "values": [[1, "0.03"], [2, "NaN"], [3, "0.02"]]},
    ]
    server = _Server(range=_answer("matrix", matrix))
    found = _ask(server, lambda level: level.before("n1", 1000.0, 1600.0))
    assert found == [0.03, 0.04]
    (form,) = server.forms
    assert (form["start"], form["end"], form["step"]) == (["1000.000"], ["1600.000"], ["15.000"])


@pytest.mark.parametrize(
    "text",
    ['{"status": "success"}', '{"data": {"resultType": "vector", "result": [{}]}}', "[]",
     '{"data": {"resultType": "string", "result": [1, "x"]}}', "x"],
)  # fmt: skip
def test_an_answer_that_is_none(text: str) -> None:
    for ask in (
        lambda level: level.now("n1", 1.0),
        lambda level: level.before("n1", 0.0, 60.0),
    ):
        with pytest.raises(SourceUnavailable):
            _ask(_Server(now=text, range=text), ask)
