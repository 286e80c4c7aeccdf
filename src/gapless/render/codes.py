"""What an error code means and what to do about it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from gapless.errors import GaplessError
from gapless.render.layout import head, labelled, screen

ADVICE: Mapping[str, str] = {
    "GL-100": "A bug, or an error nobody has named yet. Please report it with the details file.",
    "GL-101": "gapless VERB --help lists what it takes.",
    "GL-102": "Mend what is listed; gapless check tells all problems at once and asks no host.",
    "GL-201": "Nothing was changed. The reason and the command that helps are in the message.",
    "GL-202": "An instance was sick before it was touched; a rollout would hide why. Mend it, or "
    "leave its host out with --hosts '!NAME' where the floor has room without it (GL-204), or say "
    "--force with a --reason.",
    "GL-203": "Hosts, units or releases changed after the plan was made. Make a new one and read "
    "it.",
    "GL-204": "Fewer instances would serve than rollout.max_unavailable allows. Bring the missing "
    "ones back first; --force never skips this for a quorum.",
    "GL-205": "The release that runs cannot live with what the new one brings, so undo would be a "
    "lie. Deploy a release that reads both versions first, or give migrate.down or schema.bump. "
    "Where the data rose already, let the release declare at least the version that is live.",
    "GL-206": "The source moved on and nothing of that version is kept on this machine. Deploy "
    "what there is, or give the source back what it had: the commit, the archive.",
    "GL-207": "Builds come before everything else, so no host was touched. The last lines are in "
    "the message; gapless build NAME tries it again alone.",
    "GL-301": "gapless lock shows who, where and why; gapless watch follows it. If its controller "
    "is gone: gapless resume, gapless abort or gapless lock break.",
    "GL-401": "The step, its evidence and what was undone are in the report: gapless history ID.",
    "GL-402": "The new copy ran but its checks did not pass in health.timeout. Its last log lines "
    "are in the report. If it only needs longer, raise health.timeout.",
    "GL-403": "It was ready and then crashed, restarted or failed a check during soak. Look at its "
    "log; a copy that lives shorter than soak is never called good.",
    "GL-404": "A command on the host failed; its own words are in the report. gapless doctor looks "
    "for the usual causes.",
    "GL-405": "The migration failed or did not end. No instance was switched. Look at the state of "
    "the schema before trying again.",
    "GL-406": "A balancer did not report what was asked of it in time. The instance is left in the "
    "state the report names, never assumed.",
    "GL-407": "The old version did not come back either. The report has the commands to type, in "
    "order. The instance is out of traffic.",
    "GL-409": "A member leads on though it was told to hand over, or members of one cluster do not "
    "answer alike: nothing was stopped while that is so.",
    "GL-408": "Somebody pressed Ctrl-C twice or aborted: the current batch went back, and the ones "
    "before it as the abort or on_failure says.",
    "GL-501": "gapless doctor --hosts NAME tries it step by step.",
    "GL-502": "Name, network, firewall or sshd: gapless doctor --hosts NAME, then ssh by hand.",
    "GL-503": "The key differs from known_hosts. Find out why before you accept it: it may be "
    "another machine.",
    "GL-504": "ssh NAME by hand with the same user; look at the agent and at authorized_keys.",
    "GL-505": "sudo -n must work for the user that logs in, for the programs in the guide.",
    "GL-506": "What was under way is unknown until the host is asked. Mend the connection, then go "
    "on with the command that the report names.",
    "GL-507": "The host is slow or hangs. The limits are in defaults and in the service.",
    "GL-508": "Another rollout owns the host now, so this one has to stop. gapless lock shows it.",
    "GL-509": "The host said why: disk full, read-only, no such file. Mend that.",
    "GL-551": "Logs or metrics could not be asked, so nothing was judged by them. Mend what the "
    "message names; verify.…on_insufficient says what happens meanwhile.",
    "GL-601": "The journal on this machine cannot be read or written: disk, owner, version.",
}
"""What to do, by code."""

GUIDES: Mapping[str, str] = {
    "GL-102": "reference/config.md",
    "GL-202": "how-to/troubleshooting.md#health-check-failing",
    "GL-203": "how-to/deploy-directory.md#plan-then-deploy-that-plan",
    "GL-204": "explanation/lifecycle.md#the-floor",
    "GL-205": "how-to/migrations.md#going-back-past-a-migration",
    "GL-206": "how-to/deploy-git.md#a-version-again",
    "GL-207": "how-to/build-artifacts.md#a-build-that-fails",
    "GL-301": "how-to/locks.md",
    "GL-402": "how-to/troubleshooting.md#health-check-failing",
    "GL-403": "how-to/troubleshooting.md#service-wont-start",
    "GL-404": "how-to/troubleshooting.md#service-wont-start",
    "GL-405": "how-to/troubleshooting.md#migration-failed",
    "GL-406": "how-to/haproxy.md",
    "GL-407": "how-to/troubleshooting.md#rollback-failed",
    "GL-408": "how-to/resume-abort.md#ctrl-c",
    "GL-409": "how-to/clusters.md#when-something-goes-wrong",
    "GL-503": "how-to/ssh.md#host-keys",
    "GL-504": "how-to/ssh.md",
    "GL-505": "how-to/sudo.md",
    "GL-506": "how-to/resume-abort.md",
    "GL-508": "how-to/locks.md#why-a-zombie-cannot-act",
    "GL-551": "how-to/verify-sources.md#when-a-source-does-not-answer",
}
"""Code to the page that helps, in the folder docs of the repository."""


def render_code(kind: type[GaplessError], width: int = 100) -> str:
    """The page of one code."""
    meaning = " ".join((inspect.getdoc(kind) or "").split())
    lines = head("", f"{kind.__name__}: {meaning}", kind.code, width)
    lines += labelled("exit", _exit(kind), width)
    if kind.code in ADVICE:
        lines += labelled("advice", ADVICE[kind.code], width)
    lines += labelled("more", f"docs/{GUIDES.get(kind.code, 'reference/errors.md')}", width)
    return screen(lines)


def _exit(kind: type[GaplessError]) -> str:
    if "GL-401" <= kind.code <= "GL-409":
        return "4 when the old version was restored and checked, else 5"
    return str(kind.exit_code)
