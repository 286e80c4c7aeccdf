"""What ``flip``, ``run rollback`` and ``run wait`` have in common: ask, wait, tell what came of
it."""

from __future__ import annotations

import subprocess

from gapless.cli import terminated
from gapless.cli.exit_codes import ExitCode
from gapless.cli.output import note, result, result_json, width
from gapless.cli.supervised import Reply, Target, ask, called, spelled_target, status_of

LINES = 20
"""Of the journal."""
_PATIENCE = 5.0


def carry_out(
    verb: str, target: Target, *, wait: bool, timeout: float | None, as_json: bool
) -> int:
    """Ask for ``verb`` and print the outcome; its exit code is the answer's."""
    from gapless.render.flip import render_outcome

    wanted = target.resolve()
    name = called(wanted)
    try:
        with terminated.held() as term:
            reply = ask(wanted, verb, wait=wait, timeout=timeout)
            good, code = bool(reply.get("ok")), int(reply.get("code", ExitCode.MIXED))
            if code == ExitCode.MIXED:
                term.wait()
    except KeyboardInterrupt:
        note(f"\n‖  Left; it goes on\n   next    gapless run wait {spelled_target(wanted)}\n")
        return ExitCode.INTERRUPTED
    status = None
    if not good and code != ExitCode.PAUSED:
        reply, status = with_log(reply), status_of(wanted)
    screen = render_outcome(verb, name, reply, status, width())
    if as_json:
        result_json(reply)
    elif good:
        result(screen)
    if not good:
        note(screen)
    return terminated.CODE if term.heard and code == ExitCode.MIXED else code


def with_log(reply: Reply) -> Reply:
    """The new copy's last lines, from the journal when the supervisor does not see them."""
    if reply.get("log") or reply.get("log_source") != "journal" or not reply.get("pid"):
        return reply
    command = ["journalctl", "-o", "cat", f"_PID={int(reply['pid'])}", "-n", str(LINES)]
    try:
        done = subprocess.run(
            [*command, "--no-pager", "-q"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return reply
    return {**reply, "log": done.stdout.decode("utf-8", "replace").splitlines()}
