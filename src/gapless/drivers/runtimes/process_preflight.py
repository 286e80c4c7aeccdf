"""Whether a supervised process is fit to be replaced.

1. gapless is on the host.
2. There is a run file; without one nothing was ever deployed there.
3. The supervisor runs, and from that file: one that was started from another would not read ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from gapless.drivers.runtimes.process_view import Seen
from gapless.model import InstanceState, Verdict, VerdictStatus

_INSTALL = (
    "gapless on the host: python3 -m pip install gapless; or say where it is, in gapless.yaml: "
    "process: {gapless: /path/to/gapless}"
)


def examine(seen: Seen, asked: str, file: str) -> tuple[Verdict, ...]:
    """Every verdict, in the order above."""
    return tuple(_verdicts(seen, asked, file))


def _verdicts(seen: Seen, asked: str, file: str) -> Iterator[Verdict]:
    now = seen.observation
    said = now.detail.get("status", "")
    if seen.not_installed:
        yield Verdict(VerdictStatus.FAIL, "gapless", asked, said, _INSTALL)
        return
    if now.state is InstanceState.UNKNOWN:
        yield Verdict(VerdictStatus.INCONCLUSIVE, "status", asked, said, "an answer")
        return
    if now.state is InstanceState.MISSING:
        wanted = "gapless deploy brings it and starts it"
        yield Verdict(VerdictStatus.FAIL, "run file", f"test -e {file}", "there is none", wanted)
        return
    if now.state is not InstanceState.RUNNING:
        wanted = "a supervisor that runs; --force with a reason starts it"
        answer = f"{now.state.value}: {said}" if said else now.state.value
        yield Verdict(VerdictStatus.FAIL, "status", asked, answer, wanted)
        return
    yield Verdict(VerdictStatus.PASS, "status", asked, f"running: {said}")
    yield _source(seen, asked, file)


def _source(seen: Seen, asked: str, file: str) -> Verdict:
    if seen.source == file:
        return Verdict(VerdictStatus.PASS, "source", asked, file)
    answer = f"it was started from {seen.source or 'a command line'}, not by a deploy"
    wanted = f"{file}; {asked.replace(' status ', ' stop ')}, then gapless deploy"
    return Verdict(VerdictStatus.FAIL, "source", asked, answer, wanted)
