"""``warm:`` — requests that fill caches before an instance is let into traffic."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Discriminator, Tag, model_validator

from gapless.config.base import Section
from gapless.config.health import Expect, HealthConfig, HttpCheck, form_of
from gapless.config.quantities import Argv, Flag, Limit, Positive


class WarmConfig(Section):
    """What is asked of the new instance, on its host, between ready and admit. Give exactly one of
    http, command."""

    http: (
        Annotated[
            Annotated[str, Tag("address")] | Annotated[HttpCheck, Tag("mapping")],
            Discriminator(form_of),
        ]
        | None
    ) = None
    """URL, or a mapping with url, headers, expect … <check fields> are filled in."""
    command: Argv | None = None
    """Program that warms it and exits 0."""
    times: Positive = 10
    """How often it is asked, one after another."""
    answer: Limit = 10.0
    """How long one answer may take."""
    timeout: Limit = 30.0
    """Limit of all of it; what is not asked by then is left out."""
    required: Flag = False
    """Whether answers that do not come, or not as expected, stop the instance before it is let into
    traffic; else they are counted and told."""

    @model_validator(mode="after")
    def _one_request(self) -> Self:
        if (self.http is None) == (self.command is None):
            raise ValueError("give exactly one of http, command")
        return self

    @property
    def check(self) -> HealthConfig:
        """The request as a health question."""
        http = (
            HttpCheck(url=self.http, expect=Expect()) if isinstance(self.http, str) else self.http
        )
        return HealthConfig(http=http, command=self.command).model_copy(
            update={"answer": self.answer}
        )
