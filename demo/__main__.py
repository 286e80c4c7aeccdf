"""Start two services, restart them under load, then try a bad release.

1. A store and an API that asks it, each a process on this machine. No root, no systemd, no
   container: everything is in a folder that is removed at the end.
2. ``gapless deploy`` starts them; ``gapless plan`` and ``gapless restart --prove`` replace both,
   the store first, while requests are sent, and print the measured gap.
3. ``gapless deploy --prove`` of a release that answers its health check wrongly: it never gets a
   request (the report tells which version answered), the old copy serves on, exit code 4.
4. Both are stopped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from demo import ending
from demo.tiers import NAMES, Tiers

API = NAMES[1]
TRIES = 3


def main() -> int:
    """The exit code: 0 when the demo showed what it promises."""
    ending.listen()
    try:
        with tempfile.TemporaryDirectory(prefix="gapless-demo-") as name:
            good = played(Path(name))
    except ending.Stopped as stopped:
        ending.show_cursor()
        say("The demo was interrupted; all that it started is ended and removed.")
        return 128 + stopped.number
    if good is None:
        say("The first start failed, so there is nothing to show; gapless says above why.")
        return 1
    say("Everything is stopped and removed. Next: docs/tutorial, docs/how-to/process-runtime.md")
    return 0 if good else 1


def played(folder: Path) -> bool | None:
    """Whether it went as promised, None when it could not begin; nothing of it runs any more."""
    try:
        tiers = Tiers(folder)
        say("Two services on this machine, in one file:")
        if not started(tiers):
            return None
        good = show(tiers)
        stop(tiers)
        return good
    finally:
        ending.end_all(folder)


def started(tiers: Tiers) -> bool:
    """Both services; once more on other ports where somebody took one of them meanwhile."""
    for left in reversed(range(TRIES)):
        print((tiers.folder / "gapless.yaml").read_text())
        if gapless(tiers, "deploy", "--yes", "--reason", "first start") == 0:
            return True
        ending.kill_all(tiers.folder)
        if not left or not tiers.displaced:
            return False
        say("One of the ports is taken; again with others:")
        tiers.move()
    return False


def show(tiers: Tiers) -> bool:
    """The whole story; whether it went as promised."""
    say(f"Both are replaced, the store first, while 100 requests a second go to {tiers.url}")
    gapless(tiers, "plan")
    restarted = gapless(tiers, "restart", "--yes", "--prove", "--reason", "demo")
    first = measured(tiers)

    say(f"v2 of the API says that it is unhealthy. The one that serves is pid {pid(tiers)}:")
    before = pid(tiers)
    tiers.publish("v2", "unhealthy")
    tiers.choose(API, "v2")
    refused = gapless(tiers, "deploy", API, "--yes", "--prove", "--reason", "v2")
    second = measured(tiers)
    gapless(tiers, "status")
    gapless(tiers, "run", "status", API)
    return verdict(
        {
            "exit code of the restart": (restarted, 0),
            "exit code of the bad release": (refused, 4),
            "failed requests": (first["failed"] + second["failed"], 0),
            "versions that answered": ({*first["versions"], *second["versions"]}, {"v1"}),
            "pid that serves": (pid(tiers), before),
        }
    )


def verdict(found: dict[str, tuple[object, object]]) -> bool:
    """The demo fails when the product does not do what it says."""
    wrong = {what: pair for what, pair in found.items() if pair[0] != pair[1]}
    if not wrong:
        say("Both were replaced, and no request failed. The bad v2 of the API never answered one:")
        print("   v1 was not even stopped, and gapless told the failure with exit code 4.")
        return True
    say("Not as promised:")
    for what, (was, wanted) in wrong.items():
        print(f"   {what}: {was}, not {wanted}")
    return False


def stop(tiers: Tiers) -> None:
    """The API first: it needs the store."""
    for name in reversed(NAMES):
        gapless(tiers, "run", "stop", name)


def gapless(tiers: Tiers, *args: str) -> int:
    """Run the command as a person would, in the folder of its configuration."""
    say("$ gapless " + " ".join(_quoted(word) for word in args))
    return run(tiers, *args).returncode


def measured(tiers: Tiers) -> dict[str, Any]:
    """The gap of the last rollout, as its report says."""
    last = asked(tiers, "history", "--json")[0]["id"]
    gap: dict[str, Any] = asked(tiers, "history", last, "--json")["gap"]
    return gap


def pid(tiers: Tiers) -> int:
    """The process that answers at the front door."""
    return int(asked(tiers, "run", "status", API, "--json")["active"]["pid"])


def asked(tiers: Tiers, *args: str) -> Any:
    """The answer of the command as data."""
    return json.loads(run(tiers, *args, stdout=subprocess.PIPE).stdout)


def run(tiers: Tiers, *args: str, stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    """Nothing of it lies outside of the folder."""
    scripts = sysconfig.get_path("scripts")
    environment = {
        **os.environ,
        "GAPLESS_STATE": str(tiers.folder / "state"),
        "GAPLESS_RUN_DIR": str(tiers.folder / "run"),
        ending.MARK: str(tiers.folder),
        "PATH": f"{scripts}:{os.environ.get('PATH', '')}",
    }
    return subprocess.run(
        [sys.executable, "-m", "gapless", *args],
        cwd=tiers.folder, env=environment, stdout=stdout, text=True, check=False,
        start_new_session=True,  # Ctrl-C is the demo's to answer
    )  # fmt: skip


def say(text: str) -> None:
    """A line that stands out between the output of the commands."""
    print(f"\n── {text}", flush=True)


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


if __name__ == "__main__":
    sys.exit(main())
