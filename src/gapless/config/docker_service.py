"""``services.X.docker`` — a container of an image, without compose."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from gapless.config.container_service import ContainerConfig
from gapless.config.docker_options import refusals
from gapless.config.quantities import Argv

_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"


class DockerConfig(ContainerConfig):
    """A container of an image. A new one is started beside the old one, which is stopped when it
    has no more traffic."""

    image: str
    """Name of the image; one that the engine does not have is pulled."""
    options: Argv = ()
    """Options of docker create, such as --network, --memory, --env-file. ``{slot:ONE|OTHER}``
    differs between the two copies: so each gets a port of the host of its own. A changed option, or
    file that --env-file names, is something to deploy."""
    command: Argv = ()
    """What the container runs; default: what its image says."""
    name: Annotated[str, Field(pattern=_NAME)] | None = None
    """Containers are called NAME-a and NAME-b; default: the name of the service."""
    adopt: Annotated[str, Field(pattern=_NAME)] | None = None
    """Name of a container that runs already and that the first deploy takes the place of."""

    @model_validator(mode="before")
    @classmethod
    def _image(cls, data: Any) -> Any:
        return {"image": data} if isinstance(data, str) else data

    @field_validator("options")
    @classmethod
    def _possible(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        for refused in refusals(options):
            raise ValueError(refused)
        return options
