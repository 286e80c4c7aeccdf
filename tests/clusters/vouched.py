"""Real servers with TLS: what a client of theirs believes, and what it writes when it does."""

from __future__ import annotations

from gapless.config.api_url import ApiTlsConfig
from gapless.prove.workload import Workload
from tests.unit.drivers.balancers.certificates import Certificates

NAME = "etcd.shop.example"
"""That of the certificate of all servers."""
WRONG = ("ca", "name", "cert")
"""What is missing where nobody is vouched for: each of them on its own is enough."""


def believing(certificates: Certificates, **other: str) -> dict[str, str]:
    """Keys of ``tls``; one that is "" is left out."""
    keys = {"ca": certificates.ca, "cert": certificates.client, "name": NAME, **other}
    return {key: value for key, value in keys.items() if value}


def tls(certificates: Certificates, **other: str) -> ApiTlsConfig:
    """The same, read."""
    return ApiTlsConfig.model_validate(believing(certificates, **other))


async def written(of: Workload) -> str | None:
    """And read again; nothing is left."""
    try:
        await of.prepare()
        await of.write(1, "one")
        found = await of.read(1)
        await of.clear()
        return found
    finally:
        await of.close()
