"""What asks a broker of Kafka: its settings, its silence, and what is said of them."""

from __future__ import annotations

import asyncio
import builtins
import socket
from typing import Any

import pytest
from kafka import errors
from pydantic import ValidationError

from gapless.config.cluster_kafka import KafkaConfig
from gapless.drivers.clusters import kafka_client
from gapless.drivers.clusters.kafka_client import KafkaClient, ShutOut, TooOld
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.clusters.password import Password
from gapless.errors import ClusterError

SASL = {"user": "ann", "password": "env:KAFKA_PASSWORD"}
PASSWORD = "correct horse"


def client(address: str = "127.0.0.1:1", **config: Any) -> KafkaClient:
    made = KafkaConfig.model_validate({"timeout": "300ms", **config})
    reference = made.sasl.password if made.sasl else None
    return KafkaClient("stream", "Kafka on k1", address, made, Password("stream", "ann", reference))


def options(monkeypatch: pytest.MonkeyPatch, **config: Any) -> dict[str, Any]:
    given: dict[str, Any] = {}
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    monkeypatch.setattr(
        kafka_client, "_conversation", lambda address, options, *rest: given.update(options)
    )
    asyncio.run(client(**config).look(""))
    return given


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({}, "PLAINTEXT"),
        ({"tls": {}}, "SSL"),
        ({"sasl": SASL}, "SASL_PLAINTEXT"),
        ({"sasl": SASL, "tls": {}}, "SASL_SSL"),
    ],
)
def test_how_it_is_spoken_to(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], kind: str
) -> None:
    given = options(monkeypatch, **config)
    assert given["security_protocol"] == kind
    assert ("ssl_context" in given) is ("tls" in config)
    assert given.get("sasl_plain_password") == (PASSWORD if "sasl" in config else None)
    assert given.get("sasl_mechanism") == ("SCRAM-SHA-512" if "sasl" in config else None)


def test_a_certificate_that_is_not_there() -> None:
    with pytest.raises(ClusterError, match="cannot be asked over TLS") as caught:
        asyncio.run(client(tls={"ca": "/nowhere.pem"}).look(""))
    assert "tls" in caught.value.next


@pytest.mark.parametrize(
    ("error", "kind", "what"),
    [
        (errors.SaslAuthenticationFailedError(f"not {PASSWORD}"), ShutOut, "refuses the login"),
        (errors.UnsupportedSaslMechanismError("PLAIN"), ShutOut, "refuses the login"),
        (errors.ClusterAuthorizationFailedError(), ShutOut, "does not let us ask"),
        (errors.IncompatibleBrokerVersion("no DescribeQuorum"), TooOld, "not run in KRaft mode"),
        (errors.KafkaTimeoutError("late"), Silent, "does not answer$"),
        (ValueError("what?"), Silent, "does not answer as Kafka does"),
        (AttributeError(f"no {PASSWORD}"), ClusterError, "do not fit together"),
        (TypeError("one too many"), ClusterError, "do not fit together"),
    ],
)
def test_what_went_wrong_without_the_password(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[ClusterError], what: str
) -> None:
    def failing(*_: Any) -> Any:
        raise error

    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    monkeypatch.setattr(kafka_client, "_conversation", failing)
    with pytest.raises(kind, match=what) as caught:
        asyncio.run(client(sasl=SASL).look(""))
    assert type(error).__name__ in caught.value.evidence and caught.value.next
    assert "not installed" not in caught.value.what
    assert PASSWORD not in f"{caught.value}{caught.value.evidence}"


def test_a_port_that_is_shut_one_that_hangs_and_one_that_is_not_kafka() -> None:
    with socket.socket() as shut, pytest.raises(Silent, match="does not answer"):
        shut.bind(("127.0.0.1", 0))
        asyncio.run(client(f"127.0.0.1:{shut.getsockname()[1]}").look(""))
    with socket.create_server(("127.0.0.1", 0)) as hung, pytest.raises(Silent) as caught:
        asyncio.run(client(f"127.0.0.1:{hung.getsockname()[1]}").look(""))
    assert "does not answer" in caught.value.what

    async def scene() -> None:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            await client(f"127.0.0.1:{server.sockets[0].getsockname()[1]}").look("")

    with pytest.raises(Silent):
        asyncio.run(scene())


def test_the_library_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("kafka."):
            raise ImportError("No module named 'kafka'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ClusterError, match="kafka-python is not installed") as caught:
        asyncio.run(client().look(""))
    assert caught.value.next == "pip install --upgrade 'gapless[kafka]'"


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "/run/kafka.sock"},
        {"tls": {"key": "k.pem"}},
        {"sasl": {"user": "ann", "password": "plain text"}},
        {"sasl": {**SASL, "mechanism": "GSSAPI"}},
    ],
)
def test_settings_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        KafkaConfig.model_validate(wrong)
