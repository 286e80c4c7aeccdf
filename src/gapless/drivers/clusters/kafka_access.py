"""How a listener of Kafka is entered: over TLS or in the clear, with a login or without, as
kafka-python calls it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

from gapless.config.api_url import ApiTlsConfig
from gapless.config.cluster_kafka import KafkaLoginConfig, KafkaTlsConfig

QUIET = 51
"""A level of logging above all others: the library's log shows what is sent, logins too; what
matters comes as an error."""


def access(
    tls: KafkaTlsConfig | ApiTlsConfig | None,
    sasl: KafkaLoginConfig | None,
    login: Sequence[str],
) -> dict[str, Any]:
    """Settings of every client of the library; ``login`` is user and password where there is a
    ``sasl``. Raises OSError, ssl.SSLError."""
    kind = ("SASL_" if sasl else "") + ("SSL" if tls else "PLAINTEXT")
    options: dict[str, Any] = {"security_protocol": kind}
    if tls is not None:
        options["ssl_context"] = _context(tls)
    if sasl is not None:
        user, password = login
        options |= {
            "sasl_mechanism": sasl.mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }
    return options


def _context(tls: KafkaTlsConfig | ApiTlsConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca or None)
    if tls.cert:
        context.load_cert_chain(tls.cert, tls.key or None)
    return context
