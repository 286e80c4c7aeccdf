"""Headers that are secrets: read at the moment of use, and never in what is stored or told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from gapless.config.definitions import from_definitions
from gapless.config.health import HealthConfig, HttpCheck
from gapless.config.source import Loaded, load_config
from gapless.drivers.checks import asking
from gapless.drivers.checks.probes import build_probes
from gapless.drivers.checks.secret_headers import KeptSecrets, revealed
from gapless.drivers.transports.base import Probe
from gapless.errors import UsageError
from gapless.hostside.probes import one_line
from gapless.model import Instance, Verdict, VerdictStatus
from gapless.planning.make import make_plan
from gapless.plans import Verb, to_json

VALUE = "Bearer t0psecret"
CONFIG = """
project: shop
hosts: {web1: {transport: local}}
services:
  api:
    on: [web1]
    systemd: api
    health:
      http: {url: "http://localhost/", secrets: {Authorization: "env:HEALTH_TOKEN"}}
"""


class Echo:
    """A side that answers with the headers it was sent."""

    host = "web1"

    def __init__(self) -> None:
        self.asked: list[Probe] = []

    async def ask(self, probes: list[Probe], **timing: object) -> tuple[Verdict, ...]:
        self.asked += probes
        said = [json.dumps(probe.spec["headers"]) for probe in probes]
        return tuple(Verdict(VerdictStatus.FAIL, "http", "GET /", text, "200") for text in said)

    async def watch(self, unit: str, probes: list[Probe], **more: object) -> tuple[Verdict, ...]:
        return await self.ask(probes, passes=1, every=0, within=0)


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    path = tmp_path / "gapless.yaml"
    path.write_text(CONFIG)
    return load_config(path)


def probes(loaded: Loaded) -> tuple[Probe, ...]:
    checks = loaded.project.services["api"].health
    return build_probes(checks, Instance("api", "web1"), address="web1")


def test_the_plan_holds_the_reference_only(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", VALUE)
    plan = make_plan(loaded, verb=Verb.RESTART)
    assert "env:HEALTH_TOKEN" in json.dumps(to_json(plan))
    assert "t0psecret" not in json.dumps(to_json(plan))
    check = from_definitions(plan).services["api"].health[0].http_check
    assert check is not None
    assert check.secrets == {"Authorization": "env:HEALTH_TOKEN"}
    assert "t0psecret" not in repr(probes(loaded))


@pytest.mark.parametrize("verb", ["ask", "watch"])
def test_the_value_is_sent_and_unseen_in_the_answer(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", VALUE)
    side = Echo()

    async def story() -> tuple[Verdict, ...]:
        if verb == "ask":
            return await asking.ask(
                side,
                lambda: side,
                probes(loaded),
                passes=1,
                every=0.1,
                within=0.0,  # type: ignore[arg-type,return-value]
            )
        return await asking.watch(
            side, lambda: side, "", probes(loaded), seconds=1.0, every=1.0, retries=0,  # type: ignore[arg-type,return-value]
            retry_delay=0.0, identity={},
        )  # fmt: skip

    (verdict,) = asyncio.run(story())
    assert side.asked[0].spec["headers"] == {"Authorization": VALUE}
    assert "secrets" not in side.asked[0].spec
    assert "t0psecret" not in str(verdict)
    assert "***" in verdict.answer


def test_a_part_of_the_value_is_unseen_too(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", VALUE)
    _, veil = asyncio.run(revealed(probes(loaded)))
    (verdict,) = veil([Verdict(VerdictStatus.FAIL, "http", "GET", "401 bad token t0psecret")])
    assert verdict.answer == "401 bad token ***"


def test_a_secret_that_cannot_be_read_is_named_by_its_reference(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEALTH_TOKEN", raising=False)
    with pytest.raises(UsageError, match="the secret env:HEALTH_TOKEN cannot be read"):
        asyncio.run(revealed(probes(loaded)))


def test_a_secret_of_several_lines_is_no_header_and_not_shown(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", "one\r\nX-Evil: t0psecret")
    with pytest.raises(UsageError) as caught:
        asyncio.run(revealed(probes(loaded)))
    assert caught.value.what == "the secret env:HEALTH_TOKEN is not one line of text"


def test_probes_without_secrets_are_asked_as_they_are() -> None:
    check = HealthConfig(http="http://localhost/")
    plain = build_probes([check], Instance("api", "web1"), address="web1")
    assert asyncio.run(revealed(plain))[0] is plain


def test_a_header_is_given_once() -> None:
    with pytest.raises(ValidationError, match="authorization is given in headers and in secrets"):
        HttpCheck(
            url="http://x/", headers={"Authorization": "a"}, secrets={"authorization": "env:B"}
        )


def test_a_value_is_no_reference() -> None:
    with pytest.raises(ValidationError, match="a secret is a reference"):
        HttpCheck(url="http://x/", secrets={"Authorization": VALUE})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('to"p_secret', 'to\\"p_secret'),
        ("top/secret", "top\\/secret"),
        ("tøp_secret", "t\\u00f8p_secret"),
        ("tøp_secret", "t\ufffdp_secret"),
        ("top   sec", "top sec"),
        ('Bearer se"cret', 'se\\"cret'),
    ],
)
def test_a_value_is_unseen_however_it_is_written(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", value)
    _, veil = asyncio.run(revealed(probes(loaded)))
    (verdict,) = veil([Verdict(VerdictStatus.FAIL, "http", "GET", f"got '{said}'")])
    assert verdict.answer == "got '***'"


@pytest.mark.parametrize("room", range(len(VALUE) + 2))
def test_the_part_of_a_value_before_the_cut_is_unseen_too(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", VALUE)
    _, veil = asyncio.run(revealed(probes(loaded)))
    answer = one_line("x" * (299 - room) + VALUE + "y" * 300)
    (verdict,) = veil([Verdict(VerdictStatus.FAIL, "http", "GET", answer)])
    assert verdict.answer.endswith("…")
    assert "Bear" not in verdict.answer
    assert "t0ps" not in verdict.answer
    assert verdict.answer.startswith("x" * (299 - room))


def test_a_part_at_the_end_of_what_was_not_cut_is_told(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", VALUE)
    _, veil = asyncio.run(revealed(probes(loaded)))
    (verdict,) = veil([Verdict(VerdictStatus.FAIL, "http", "GET", "401 wants a Bearer")])
    assert verdict.answer == "401 wants a Bearer"


def test_an_empty_value_hides_nothing(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", "")
    _, veil = asyncio.run(revealed(probes(loaded)))
    (verdict,) = veil([Verdict(VerdictStatus.FAIL, "http", "GET", "401 …")])
    assert verdict.answer == "401 …"


def test_a_secret_that_no_header_can_hold_is_refused_and_not_shown(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", "t0psecret€")
    with pytest.raises(UsageError, match="env:HEALTH_TOKEN cannot be a header") as caught:
        asyncio.run(revealed(probes(loaded)))
    assert "t0psecret" not in str(caught.value)


def test_what_was_read_before_is_used_when_it_cannot_be_read_now(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptSecrets()

    def sent() -> str:
        (probe,), _ = asyncio.run(revealed(probes(loaded), kept))
        return str(probe.spec["headers"]["Authorization"])

    monkeypatch.setenv("HEALTH_TOKEN", VALUE)
    assert sent() == VALUE
    monkeypatch.setenv("HEALTH_TOKEN", "Bearer renewed")
    assert sent() == "Bearer renewed"
    monkeypatch.delenv("HEALTH_TOKEN")
    assert sent() == "Bearer renewed"
    assert "renewed" not in repr(vars(kept))
    with pytest.raises(UsageError):
        asyncio.run(revealed(probes(loaded)))
