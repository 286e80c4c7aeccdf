"""Questions to servers of metrics: whatever is no plain answer is told, and no secret is."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from gapless.config.verify_rates import GraphiteConfig
from gapless.drivers.checks.http_source import HttpSource
from gapless.errors import SourceUnavailable
from tests.unit.drivers.balancers.certificates import Certificates

from .reaching import reach
from .servers import Answers


def asked(status: int = 200, text: str = "[]", **more: Any) -> tuple[Any, list[str]]:
    """The answer, or the error, and the requests that were made."""

    async def scene() -> tuple[Any, list[str]]:
        server = Answers(lambda *_: (status, text))
        await server.start()
        config = GraphiteConfig(url=f"http://127.0.0.1:{server.port}/g", errors="t", **more)
        try:
            return await HttpSource("Graphite", config, reach()).get("/render"), server.headers
        except SourceUnavailable as error:
            return error, server.headers
        finally:
            await server.stop()

    return asyncio.run(scene())


def test_secret_headers_are_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "Bearer s3cr3t-value")
    error, (head,) = asked(403, "not s3cr3t-value", secrets={"Authorization": "env:TOKEN"})
    assert "Authorization: Bearer s3cr3t-value" in head
    assert error.what == "Graphite answered with status 403"
    assert error.evidence == "not ***"
    answer, (head,) = asked(headers={"X-Scope-OrgID": "shop"})
    assert answer == []
    assert "X-Scope-OrgID: shop" in head


def test_a_secret_that_cannot_be_read_is_told_by_its_reference() -> None:
    error, requests = asked(secrets={"Authorization": "env:NO_SUCH_TOKEN"})
    assert "NO_SUCH_TOKEN" in error.what
    assert requests == []


@pytest.mark.parametrize(
    ("status", "text", "what"),
    [
        (500, "down", "answered with status 500"),
        (302, "", "answered with status 302"),
        (200, "<html>", "answered what is not JSON"),
        (200, json.dumps("x" * (17 << 20)), "does not answer"),
    ],
)
def test_what_is_no_plain_answer(status: int, text: str, what: str) -> None:
    error, _ = asked(status, text)
    assert isinstance(error, SourceUnavailable)
    assert what in error.what


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    async def scene() -> None:
        async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(5)
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        config = GraphiteConfig(url=f"http://127.0.0.1:{port}", errors="t", answer="200ms")
        with pytest.raises(SourceUnavailable, match=r"did not answer within 0\.2 s"):
            await HttpSource("Graphite", config, reach()).get("/render")
        server.close()

    asyncio.run(scene())


def test_a_file_without_certificates_is_told() -> None:
    error, _ = asked(ca="/no/such/file.pem")
    assert "no certificates in /no/such/file.pem" in error.what


@pytest.mark.parametrize(
    ("host", "keys", "answered"),
    [
        ("localhost", {"ca": True}, True),
        ("localhost", {}, False),  # nobody vouches for it
        ("127.0.0.1", {"ca": True}, False),  # it has another name
        ("127.0.0.1", {"tls": "insecure"}, True),
    ],
)
def test_certificates_are_verified(
    tmp_path: Path, host: str, keys: dict[str, Any], answered: bool
) -> None:
    made = Certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made._bearer("localhost"))
    more = {**keys, "ca": made.ca} if "ca" in keys else keys

    async def scene() -> Any:
        server = Answers(lambda *_: (200, "[]"))
        await server.start(context=context)
        config = GraphiteConfig(url=f"https://{host}:{server.port}", errors="t", **more)
        try:
            return await HttpSource("Graphite", config, reach()).get("/render")
        except SourceUnavailable as error:
            return error.what
        finally:
            await server.stop()

    assert asyncio.run(scene()) == ([] if answered else "Graphite does not answer")
