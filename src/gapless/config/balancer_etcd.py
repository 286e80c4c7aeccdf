"""``balancers.NAME.etcd``."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gapless.config.api_url import ApiTlsConfig, ApiUrl, parse_api_url
from gapless.config.balancer_kind import OnHosts
from gapless.config.base import Section
from gapless.config.quantities import Amount, Argv, Duration, Limit, Names, OneOrMany, Secret

_OF_INSTANCE = re.compile(r"\{(host|name|address)\}")


class EtcdLoginConfig(Section):
    """A user of etcd."""

    user: str
    """Name of the user."""
    password: Secret
    """Where the password is read from."""


class EtcdVerifyConfig(Section):
    """Exactly one question to the load balancer itself, asked on each host of ``on``."""

    url: str = ""
    """Address whose answer is ``enabled/up/pooled`` and the like (PyBal: ``/pools/POOL/{host}``),
    or a word as ``command`` prints it. <command fields> are filled in."""
    command: Argv | None = None
    """Prints up, drained, draining (with a number of connections, if known), down or missing."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.url) == (self.command is not None):
            raise ValueError("give exactly one of url, command")
        if self.url and (
            not self.url.startswith(("http://", "https://")) or len(self.url.split()) > 1
        ):
            raise ValueError(f"url: {self.url!r} is no address; write http(s)://host:port/path")
        if self.url:
            scheme, _, rest = self.url.partition("://")
            parse_api_url(f"{scheme}://{rest.partition('/')[0]}")
        return self


class EtcdConfig(OnHosts):
    """Keys in etcd that load balancers follow, in the form of conftool and PyBal."""

    shifts: ClassVar[bool] = True
    member_key: ClassVar[str] = "key"

    on: Names = ()
    """Hosts from which etcd is asked, and on which ``verify`` is: the load balancers; default: the
    machine gapless runs on."""
    endpoints: Annotated[tuple[ApiUrl, ...], OneOrMany(), Field(min_length=1)]
    """Addresses of etcd; when one is silent the next is asked."""
    key: str
    """Key of an instance, ``/conftool/v1/pools/SITE/CLUSTER/SERVICE/{host}``. <command fields>
    are filled in; what is in the same folder is the pool."""
    tls: ApiTlsConfig = ApiTlsConfig()
    """For https endpoints."""
    login: EtcdLoginConfig | None = None
    """For an etcd with users."""
    depooled: Literal["no", "inactive"] = "no"
    """What ``pooled`` is set to by a drain; ``inactive`` takes it out of the pool's size, too."""
    depool_threshold: Amount = "50%"
    """How many members of the pool, or which share of those not inactive, stay pooled: PyBal's
    depool-threshold, held before a drain."""
    settle: Duration = 5.0
    """How long requests get to end once it is out; nobody counts them."""
    verify: EtcdVerifyConfig | None = None
    """Asks the load balancers what holds; etcd alone says only what is wanted."""
    timeout: Limit = 10.0
    """Limit of each question."""

    @model_validator(mode="after")
    def _a_key_of_each(self) -> Self:
        folder, slash, last = self.key.rpartition("/")
        if not slash or not folder or not _OF_INSTANCE.search(last):
            raise ValueError(
                "key: after the last / comes what tells instances apart, as in …/{host}"
            )
        if _OF_INSTANCE.search(folder):
            raise ValueError("key: a pool is one folder; {host} belongs after the last /")
        return self
