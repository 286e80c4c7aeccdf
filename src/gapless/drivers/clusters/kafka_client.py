"""One Kafka broker, spoken to with kafka-python, which is an extra and imported when it is needed.

1. A conversation is one connection, to the address that is given and to no other: what a broker
   says is its own view, not that of whichever broker the library likes best.
2. The library has a loop of its own. It runs in a thread, for one conversation; each question has a
   limit, so the thread ends.
3. What goes wrong is told as an error of the cluster; the password is in none.

Source: kafka-python 3.0.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gapless.config.cluster_kafka import KafkaConfig
from gapless.drivers.clusters.kafka_access import QUIET, access
from gapless.drivers.clusters.kafka_answers import Answers
from gapless.drivers.clusters.kafka_questions import Ask, elect, look
from gapless.drivers.clusters.member_api import Silent
from gapless.drivers.clusters.password import Password
from gapless.drivers.secret_forms import secret_forms
from gapless.errors import ClusterError
from gapless.hostside.veil import veil

T = TypeVar("T")
_FIRST = "bootstrap-0"
"""The library's name for the address that it was given."""
_LARGEST = 100_000_000
ALLOW = (
    "allow this user Describe, DescribeConfigs and Alter of the cluster, and Describe and "
    "DescribeConfigs of all topics"
)


class TooOld(ClusterError):
    """It runs without KRaft."""


class ShutOut(ClusterError):
    """It does not let us in, or does not tell what has to be known."""


@dataclass(frozen=True)
class KafkaClient:
    """``label`` is what answers, and where, for people; ``address`` is dialled from here."""

    cluster: str
    label: str
    address: str
    config: KafkaConfig
    password: Password = field(repr=False)

    async def look(self, known: str) -> Answers:
        """All that it tells; ``known`` is its id of before. Raises Silent, ShutOut, TooOld,
        ClusterError."""
        return await self._converse(lambda ask, connection: look(ask, connection, known))

    async def elect(self, partitions: Sequence[str]) -> Mapping[str, str]:
        """Has the controller elect the preferred leaders of these; by partition why it did not.
        Raises as ``look``."""
        return await self._converse(lambda ask, _: elect(ask, partitions, self.config.timeout))

    async def _converse(self, script: Callable[[Ask, Any], Awaitable[T]]) -> T:
        login = await self.password.login()
        try:
            options = access(self.config.tls, self.config.sasl, login)
        except (OSError, ValueError) as error:
            what, hint = f"{self.label} cannot be asked over TLS", _TLS
            raise self._error(ClusterError, what, f"{error}", hint) from None
        try:
            return await asyncio.to_thread(
                _conversation, self.address, options, self.config.timeout, script
            )
        except ImportError as error:
            what = "kafka-python is not installed, or not in a version that is known"
            raise self._error(ClusterError, what, f"{error}", _INSTALL) from None
        except Exception as error:
            raise self._told(error, secret_forms(login[-1:])) from None

    def _told(self, error: Exception, hidden: Iterable[bytes]) -> ClusterError:
        """The library's error in our words."""
        from kafka import errors

        text = f"{self.address} → {type(error).__name__}: {error}"
        evidence = veil(text.encode(), tuple(hidden)).decode("utf-8", "replace")
        if isinstance(error, (errors.SaslAuthenticationFailedError, *_logins(errors))):
            self.password.forget()
            return self._error(ShutOut, f"{self.label} refuses the login", evidence, _SASL)
        if isinstance(error, errors.AuthorizationError):
            return self._error(ShutOut, f"{self.label} does not let us ask", evidence, ALLOW)
        if isinstance(error, errors.IncompatibleBrokerVersion):
            return self._error(TooOld, f"{self.label} does not run in KRaft mode", evidence, KRAFT)
        hint = f"see that it runs, and that {self.address} is a listener of it"
        if isinstance(error, (AttributeError, TypeError)):
            what = f"{self.label} was not asked: gapless and kafka-python do not fit together"
            return self._error(ClusterError, what, evidence, f"{_INSTALL}; else report it")
        silent = isinstance(error, (errors.KafkaConnectionError, *_silences(errors)))
        how = "does not answer" if silent else "does not answer as Kafka does"
        return self._error(Silent, f"{self.label} {how}", evidence, hint)

    def _error(self, kind: type[ClusterError], what: str, evidence: str, hint: str) -> ClusterError:
        return kind(what, where=self.cluster, evidence=evidence, next=hint)


def _conversation(
    address: str,
    options: Mapping[str, Any],
    timeout: float,
    script: Callable[[Ask, Any], Awaitable[T]],
) -> T:
    """In a thread of its own, with a loop of its own. Raises KafkaError."""
    from kafka.net.manager import KafkaConnectionManager
    from kafka.net.selector import NetworkSelector

    logging.getLogger("kafka").setLevel(QUIET)
    net = NetworkSelector(client_id="gapless")
    manager = KafkaConnectionManager(
        net,
        bootstrap_servers=[address],
        client_id="gapless",
        request_timeout_ms=timeout * 1000,
        receive_message_max_bytes=_LARGEST,
        **options,
    )

    async def whole() -> T:
        connection = manager.get_connection(
            _FIRST, timeout_ms=timeout * 1000, refresh_metadata_on_err=False
        )
        await connection

        async def ask(request: Any) -> dict[str, Any]:
            answer: dict[str, Any] = (await connection.send_request(request)).to_dict()
            return answer

        return await script(ask, connection)

    try:
        told: T = net.run(whole)
        return told
    finally:
        manager.close()
        net.close()


def _silences(errors: Any) -> tuple[type[Exception], ...]:
    return (errors.KafkaTimeoutError, errors.RequestTimedOutError, errors.NodeNotReadyError)


def _logins(errors: Any) -> tuple[type[Exception], ...]:
    return (errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError)


_INSTALL = "pip install --upgrade 'gapless[kafka]'"
_TLS = "see the paths below 'tls' of the cluster in gapless.yaml"
_SASL = "see 'sasl' of the cluster in gapless.yaml, and the listener's sasl.enabled.mechanisms"
KRAFT = "gapless needs Kafka >= 3.3 in KRaft mode"
