"""The question between two groups."""

from __future__ import annotations

from typing import Protocol

from gapless.render.words import hosts


class Between(Protocol):
    """What is done and what is next."""

    @property
    def service(self) -> str:
        """Whose groups they are."""
        ...

    @property
    def after(self) -> str:
        """What is done."""
        ...

    @property
    def before(self) -> str:
        """What is next."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of what is next."""
        ...


def question(between: Between) -> str:
    """``api: eqiad is done. Go on with codfw, web[5:8]? [y/N]: ``."""
    where = hosts(between.hosts)
    named = where if where == between.before else f"{between.before}, {where}"
    return f"{between.service}: {between.after} is done. Go on with {named}? [y/N]: "
