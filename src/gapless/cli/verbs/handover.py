"""``gapless handover``."""

from __future__ import annotations

from collections.abc import Mapping

import click

from gapless.cli.word_table import TableGroup

WORDS: Mapping[str, tuple[str, str]] = {
    "verify": ("handover_verify", "Torment a program with every case of handover/1."),
}
"""Word behind handover → (module, help in one line)."""


class HandoverGroup(TableGroup):
    """Words from a table, imported when they are used."""

    table = WORDS

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, so that help imports nothing."""
        with formatter.section("Words"):
            formatter.write_dl([(name, text) for name, (_, text) in WORDS.items()])


@click.group("handover", cls=HandoverGroup, subcommand_metavar="WORD")
def command() -> None:
    """Programs whose copies change places without losing or doubling an event."""
