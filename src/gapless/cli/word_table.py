"""Words of the command line that are imported when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click


class TableGroup(click.Group):
    """Its commands are the modules of a table: word → (module under verbs, help in one line)."""

    table: ClassVar[Mapping[str, tuple[str, str]]]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use, not of the alphabet."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import it now."""
        if cmd_name not in self.table:
            return None
        module = importlib.import_module(f"gapless.cli.verbs.{self.table[cmd_name][0]}")
        command: click.Command = module.command
        return command
