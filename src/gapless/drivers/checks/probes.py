"""From ``health:`` and ``verify:`` to the questions the host-side helper asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gapless.config.health import Expect, HealthConfig, HttpCheck
from gapless.config.verify import OpenapiConfig, VerifyConfig
from gapless.drivers.checks.asking import FROM
from gapless.drivers.checks.openapi_file import read_description
from gapless.drivers.checks.placeholders import fill
from gapless.drivers.checks.secret_headers import SECRETS
from gapless.drivers.transports.base import Probe
from gapless.model import Instance
from gapless.places import machine_of, number_of
from gapless.supervisor.spec import filled as in_slot

Filled = Callable[[str], str]
RELEASE = "{release}"


def asks_for_release(checks: Iterable[HealthConfig]) -> bool:
    """Whether ``{release}`` is in one of them."""
    return any(RELEASE in check.model_dump_json(by_alias=True) for check in checks)


def build_probes(
    checks: Sequence[HealthConfig], instance: Instance, *, address: str, release: str = ""
) -> tuple[Probe, ...]:
    """One probe per check that asks something besides the systemd state. ``address`` is that of
    the host, ``release`` the name of the one that the instance is to have."""
    host = machine_of(instance.host)
    values = {
        "host": host,
        "name": host.partition(".")[0],
        "number": str(number_of(instance.host)),
        "address": instance.address or address,
        "service": instance.service,
        "instance": str(instance),
        "release": release,
    }

    def filled(text: str) -> str:
        return fill(in_slot(text, instance.slot) if instance.slot else text, values)

    return tuple(_asked_from(check, probe) for check in checks for probe in _probes(check, filled))


def _asked_from(check: HealthConfig, probe: Probe) -> Probe:
    """Who asks travels with the question (see ``asking``)."""
    if check.ask_from == "host":
        return probe
    return replace(probe, spec={**probe.spec, FROM: check.ask_from})


def _probes(check: HealthConfig, filled: Filled) -> Iterator[Probe]:
    one = _probe(check, filled)
    if one is not None:
        yield one
    if isinstance(check, VerifyConfig) and check.endpoints is not None:
        for endpoint in check.endpoints.checks:
            sent = {"send": filled(endpoint.body)} if endpoint.body is not None else {}
            spec = {**_http(endpoint, filled), **sent}
            yield Probe("endpoint", "http", spec, check.answer)
    if isinstance(check, VerifyConfig) and check.openapi is not None:
        spec = {**_openapi(check.openapi, filled), "each": check.answer}
        yield Probe("openapi", "openapi", spec, max(check.timeout, check.answer))


def _openapi(config: OpenapiConfig, filled: Filled) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "spec": filled(config.spec),
        "headers": {name: filled(value) for name, value in config.headers.items()},
    }
    if config.base is not None:
        spec["base"] = filled(config.base)
    if not config.is_url:
        spec["document"] = read_description(config.spec)
    if config.secrets:
        spec[SECRETS] = dict(config.secrets)
    return spec


def _probe(check: HealthConfig, filled: Filled) -> Probe | None:
    http = check.http_check
    if http is not None:
        return Probe("http", "http", _http(http, filled), check.answer)
    if check.tcp is not None:
        where, _, port = filled(check.tcp).rpartition(":")
        return Probe("tcp", "tcp", {"host": where.strip("[]"), "port": int(port)}, check.answer)
    if check.unix is not None:
        return Probe("unix", "unix", {"path": filled(check.unix)}, check.answer)
    if check.command is not None:
        spec: dict[str, Any] = {"argv": [filled(word) for word in check.command]}
        if check.output is not None:
            spec["output"] = check.output
        return Probe("command", "command", spec, check.answer)
    return None


def _http(http: HttpCheck, filled: Filled) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "url": filled(http.url),
        "method": http.method,
        "headers": {name: filled(value) for name, value in http.headers.items()},
        "insecure": http.tls == "insecure",
        "expect": _expect(http.expect, filled),
    }
    optional = {"unix": http.unix, "ca": http.ca, "server_name": http.server_name}
    spec.update({name: filled(value) for name, value in optional.items() if value})
    if http.secrets:
        spec[SECRETS] = dict(http.secrets)
    return spec


def _expect(expect: Expect, filled: Filled) -> dict[str, Any]:
    status = expect.status if isinstance(expect.status, (list, tuple)) else (expect.status,)
    wanted: dict[str, Any] = {
        "status": [str(code) for code in status],
        "headers": dict(expect.headers),
        "path": {pointer: _value(v, filled) for pointer, v in expect.path.items()},
    }
    if expect.body is not None:
        wanted["body"] = expect.body
    if expect.json_ is not None:
        wanted["json"] = _value(expect.json_, filled)
    return wanted


def _value(value: Any, filled: Filled) -> Any:
    """Placeholders in strings at any depth: a check may assert the version just deployed."""
    if isinstance(value, str):
        return filled(value)
    if isinstance(value, Mapping):
        return {key: _value(item, filled) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(item, filled) for item in value]
    return value
