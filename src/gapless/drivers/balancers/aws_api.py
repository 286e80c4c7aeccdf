"""The API of AWS load balancers, called from this machine: in a thread, with a deadline.

boto3 is imported at the first call, and finds credentials where it always does: environment,
profile, web identity, instance metadata. None of them is read, kept or shown here.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable
from typing import Any

from gapless.config.balancer_elbv2 import Elbv2Config
from gapless.drivers.balancers.sight import NoAnswer
from gapless.errors import TrafficError

_TRIES = 2
_SLACK = 2.0
_SILENT = frozenset(
    ("Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable",
     "InternalFailure", "RequestTimeout")
)  # fmt: skip
"""Codes that say nothing about what was asked."""
_DENIED = frozenset(
    ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OperationNotPermitted")
)


def connect(config: Elbv2Config) -> Any:
    """A client of the ELBv2 API. Slow: reads the API's description."""
    boto3: Any = importlib.import_module("boto3")
    settings: Any = importlib.import_module("botocore.config")
    session = boto3.session.Session(profile_name=config.profile, region_name=config.region)
    return session.client(
        "elbv2",
        endpoint_url=config.endpoint,
        config=settings.Config(
            connect_timeout=config.timeout,
            read_timeout=config.timeout,
            retries={"mode": "standard", "total_max_attempts": _TRIES},
            user_agent_extra="gapless",
        ),
    )


class AwsApi:
    """One client, made at first use, for all target groups of a balancer."""

    def __init__(
        self, balancer: str, config: Elbv2Config, connect: Callable[[Elbv2Config], Any] = connect
    ) -> None:
        self._balancer = balancer
        self._config = config
        self._connect = connect
        self._client: Any = None
        self._lock = threading.Lock()

    async def call(self, what: str, **arguments: Any) -> Any:
        """What the API answers to ``what`` (``describe_target_health``). Raises NoAnswer when it
        cannot be reached or does not say, TrafficError when it says no."""
        limit = self._config.timeout * _TRIES + _SLACK
        try:
            async with asyncio.timeout(limit):
                return await asyncio.to_thread(self._call, what, arguments)
        except TimeoutError:
            raise self._silent(f"{what}: no answer within {limit:g} s") from None
        except TrafficError:
            raise
        except Exception as error:
            raise self._told(what, error) from error

    def _call(self, what: str, arguments: dict[str, Any]) -> Any:
        with self._lock:  # making a client is not safe in two threads
            if self._client is None:
                self._client = self._connect(self._config)
        return getattr(self._client, what)(**arguments)

    def _told(self, what: str, error: Exception) -> TrafficError:
        """The error in our words; what AWS said is the evidence."""
        if isinstance(error, ImportError):
            return self._error(
                "boto3 is not installed", f"{error}", "pip install 'gapless[aws]'"
            )  # fmt: skip
        code = _code(error)
        evidence = f"{what}: {error}"
        if code in _SILENT:
            return self._silent(evidence)
        if code in _DENIED:
            return self._error(
                f"AWS does not allow {what}", evidence, "allow it in the policy of this identity"
            )
        if code == "TargetGroupNotFound":
            return self._error(
                "there is no such target group", evidence, "compare target_group and region"
            )
        if code:
            return self._error(f"AWS refuses {what}", evidence, "")
        if type(error).__name__ in _NOBODY:
            return self._error(
                "boto3 finds no credentials or region for AWS", evidence, _IDENTITY
            )  # fmt: skip
        if any(kind.__name__ in _NETWORK for kind in type(error).__mro__):
            return self._silent(evidence)
        return self._error("the AWS API cannot be asked", evidence, "")

    def _silent(self, evidence: str) -> NoAnswer:
        where = f" at {self._config.endpoint}" if self._config.endpoint else ""
        return NoAnswer(
            f"the AWS API{where} does not answer",
            where=self._balancer,
            evidence=evidence,
            next=_IDENTITY,
        )

    def _error(self, what: str, evidence: str, hint: str) -> TrafficError:
        return TrafficError(what, where=self._balancer, evidence=evidence, next=hint)


_IDENTITY = "aws sts get-caller-identity, with the profile and region of the balancer"
_NOBODY = frozenset(
    ("NoCredentialsError", "PartialCredentialsError", "NoRegionError", "ProfileNotFound",
     "CredentialRetrievalError", "TokenRetrievalError", "UnauthorizedSSOTokenError")
)  # fmt: skip
"""Errors of botocore, by name: it is not imported to compare."""
_NETWORK = frozenset(("HTTPClientError", "ConnectionError", "OSError"))


def _code(error: Exception) -> str:
    """The code in an answer of AWS, "" for an error that is none."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    return str(response.get("Error", {}).get("Code", ""))
