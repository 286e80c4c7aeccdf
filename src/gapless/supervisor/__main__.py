"""The resident process: ``--spec FD`` begins, ``--state FD`` goes on where another process was,
``--check FD`` only says whether it could."""

from __future__ import annotations

import os
import signal
import sys
import types

signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

# The package's own front door is for those who call it from Python, and would load what they need.
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.modules["gapless"] = types.ModuleType("gapless")
sys.modules["gapless"].__path__ = [_PACKAGE]

from gapless.supervisor.guard import Guard  # noqa: E402


def main() -> int:
    """The exit code is that of the program."""
    how, fd = sys.argv[1], int(sys.argv[2])
    if how == "--check":
        return _check(fd)
    os.set_inheritable(fd, False)
    return _begin(fd) if how == "--spec" else _go_on(fd)


def _begin(fd: int) -> int:
    guard = Guard.posted(os.urandom(8).hex())  # before all else is loaded: it needs none of it
    from gapless.supervisor.spec import Spec

    spec = Spec.from_json(os.pread(fd, os.fstat(fd).st_size, 0).decode())
    os.close(fd)
    _prepare()
    from gapless.supervisor import rundir
    from gapless.supervisor.supervisor import Supervisor

    supervisor = Supervisor(spec, guard)
    try:
        supervisor.occupy()
    except BlockingIOError:
        status = f"gapless run status {spec.name}"
        return _refused(f"{spec.name} is supervised already", _by(spec.name), status)
    except rundir.Unfit as error:
        return _refused(*error.args)
    except OSError as error:
        told = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        return _refused(f"{rundir.folder(spec.name)} cannot be used", told, "give another --name")
    return supervisor.run()


def _go_on(fd: int) -> int:
    from gapless.supervisor import upgrade
    from gapless.supervisor.spec import Spec
    from gapless.supervisor.supervisor import Supervisor

    state = upgrade.read(fd)
    os.close(fd)
    _prepare()
    return Supervisor(Spec.from_json(state["spec"]), Guard(state["run"], *state["guard"])).run(
        state
    )


def _check(fd: int) -> int:
    from gapless.supervisor import upgrade
    from gapless.supervisor.rehearsal import rehearse

    state = upgrade.read(fd)
    os.close(fd)
    rehearse(state)
    return 0


def _prepare() -> None:
    from gapless.supervisor import launching, linux

    launching.forget_coercion()
    linux.adopt_orphans()


def _by(name: str) -> str:
    """Whose number is not told before it listens."""
    from gapless.supervisor import rundir

    try:
        with rundir.connect(name) as control:
            return f"by process {rundir.owner(control)}"
    except (LookupError, OSError):
        return ""


def _refused(what: str, evidence: str, following: str) -> int:
    from gapless.supervisor import refusal

    os.write(2, "".join(f"{line}\n" for line in refusal.screen(what, evidence, following)).encode())
    return refusal.REFUSED


if __name__ == "__main__":
    sys.exit(main())
