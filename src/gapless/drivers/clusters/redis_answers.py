"""Several servers asked at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gapless.errors import ClusterError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """By name what each said, and why others said nothing that can be used."""

    said: Mapping[str, T]
    silent: Mapping[str, ClusterError]


async def of_each(asked: Mapping[str, Coroutine[Any, Any, T]]) -> Answers[T]:
    """One that is silent is no error here: whoever reads the answers decides what it means. What
    is not a ClusterError, as FenceRefused, is raised when all have ended."""
    came = await asyncio.gather(*asked.values(), return_exceptions=True)
    said: dict[str, T] = {}
    silent: dict[str, ClusterError] = {}
    for name, answer in zip(asked, came, strict=True):
        if isinstance(answer, ClusterError):
            silent[name] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            said[name] = answer
    return Answers(said, silent)
