"""Clusters that tell over HTTP who leads what, whatever they are; and Chronik, which is one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gapless.config.api_url import ApiTlsConfig, ApiUrl
from gapless.config.base import Section
from gapless.config.quantities import Count, Limit, Positive, Secret

UrlPath = Annotated[str, Field(pattern=r"^/")]


class HttpMembersConfig(Section):
    """How a member tells who it is, and that it is well."""

    path: UrlPath = "/health"
    """Asked of each member; it is well when the answer is 2xx."""
    id: str = "node_id"
    """Field of that answer with the id that groups call it by; fields in fields are a.b."""
    ids: dict[str, str] = Field(default_factory=dict)
    """Ids by host, where no answer tells them."""
    began: str = ""
    """Field that is another one after each start, where there is one."""


class HttpGroupsConfig(Section):
    """Where and how each member tells who leads what."""

    path: UrlPath
    """Asked of each member."""
    items: str = ""
    """Field with the list of groups, or a mapping of them by name; default: the answer itself."""
    id: str = "{topic}-{partition}"
    """Name of a group; in braces fields of it, {key} its name in a mapping."""
    leader: str = "leader"
    """Field with the leader's id; 0, -1, null and nothing are none."""
    members: str = "replicas"
    """Field with the ids of all that hold it; where it is not there, all members do."""
    in_sync: str = "in_sync_replicas"
    """Field with the ids of those that are in sync."""
    position: str = ""
    """Field with how far each has got, by id, where it is told."""
    preferred: str = ""
    """Field with the id of who is to lead it where it can, where there is one: with transfer it
    leads again after its restart."""
    lag: Count = 1000
    """How far a member may be behind by that and still counts as caught up: under writes none is at
    the end all the time."""
    minimum: Positive | Literal["majority"] = "majority"
    """How many of a group have to be left for clients to notice nothing."""


class HttpCallConfig(Section):
    """One request: {group} stands for the name of the group, {to} for the id of a member."""

    path: UrlPath
    """With its query."""
    method: Literal["POST", "PUT", "GET"] = "POST"
    """What is done there."""
    body: str = ""
    """Sent as it is."""


class HttpClusterConfig(Section):
    """Any system with such endpoints, asked at each member's own host."""

    url: ApiUrl
    """A member as its own host reaches it; {host}, {name} and {address} are those of that host."""
    groups: HttpGroupsConfig
    """Who leads what."""
    members: HttpMembersConfig = HttpMembersConfig()
    """Who is who."""
    transfer: HttpCallConfig | None = None
    """Has the leader of {group} hand over to {to}, asked at the leader; to ask twice does no harm.
    Without it leaderships move when the member stops."""
    canary: HttpCallConfig | None = None
    """A write to {group} that every member in sync has to have before it is answered, asked at the
    leader: a member has rejoined only when such a one was taken."""
    headers: dict[str, Secret] = Field(default_factory=dict)
    """Headers with secret references."""
    tls: ApiTlsConfig = ApiTlsConfig()
    """For an https address."""
    timeout: Limit = 5.0
    """Limit of each question."""


class ChronikConfig(Section):
    """Chronik: by the endpoints of its procedure for rolling restarts, or its server's own."""

    url: ApiUrl = "http://127.0.0.1:3000"
    """A node as its own host reaches it; the admin API listens on 6092."""
    api: Literal["procedure", "admin"] = "procedure"
    """procedure: /health and /partitions. admin: /admin/health and /admin/status."""
    key: Secret | None = None
    """Where the key of the admin API (X-API-Key) is read from."""
    ids: dict[str, str] = Field(default_factory=dict)
    """Node ids by host, where /health does not tell node_id."""
    transfer: HttpCallConfig | None = None
    """How leaderships are moved; without it a node moves them itself when it is told to stop."""
    canary: HttpCallConfig | None = None
    """A write that all in sync have to have: a tracker that has just begun calls all in sync."""
    minimum: Positive | Literal["majority"] = "majority"
    """How many of a partition have to be left."""

    @property
    def http(self) -> HttpClusterConfig:
        """The same, spelled out."""
        admin = self.api == "admin"
        return HttpClusterConfig(
            url=self.url,
            members=HttpMembersConfig(path="/admin/health" if admin else "/health", ids=self.ids),
            groups=HttpGroupsConfig(
                path="/admin/status" if admin else "/partitions",
                items="partitions" if admin else "",
                in_sync="isr" if admin else "in_sync_replicas",
                position="" if admin else "applied_index",
                minimum=self.minimum,
            ),
            transfer=self.transfer,
            canary=self.canary,
            headers={"X-API-Key": self.key} if self.key else {},
        )
