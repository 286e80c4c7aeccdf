"""``gapless completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from gapless.cli.exit_codes import ExitCode


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print what a shell needs to complete verbs, options and services, hosts and rollouts.

    \b
    bash   gapless completion bash > /etc/bash_completion.d/gapless
    zsh    gapless completion zsh > "${fpath[1]}/_gapless"
    fish   gapless completion fish > ~/.config/fish/completions/gapless.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "gapless", "_GAPLESS_COMPLETE").source())
    return ExitCode.DONE
