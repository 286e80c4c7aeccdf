"""Plans in files: private, complete, and refused when somebody edited them."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from gapless.errors import Refused, UsageError
from gapless.plans import Plan, from_json, to_json

_KIND = "gapless-plan"


def save(plan: Plan, path: str | Path) -> None:
    """Write the plan with its digest, readable by its owner only, in one rename."""
    file = Path(path)
    data = {"kind": _KIND, "digest": plan.digest, "plan": to_json(plan)}
    try:
        _write(file, json.dumps(data, indent=1).encode())
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}",
            next=f"ls -ld {shlex.quote(str(file.parent))}",
        ) from None


def _write(file: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: str | Path) -> Plan:
    """The plan a file holds. UsageError when it holds none, Refused when it was changed."""
    file = Path(path)
    data = _read(file)
    try:
        plan = from_json(data["plan"])
        digest = data["digest"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{file} is not a plan this version can read: {error}"
        raise UsageError(what, next=f"gapless plan -o {file}") from None
    if plan.digest != digest:
        raise Refused(
            "the plan was changed after it was made",
            where=str(file),
            evidence=f"digest {plan.digest[:12]}, written down as {str(digest)[:12]}",
            next=_again(plan, file),
        )
    return plan


def _no_plan(file: Path) -> UsageError:
    """What it is instead is somebody's: nobody is told to write a plan over it."""
    names = ("plan.json", *(f"plan-{number}.json" for number in range(2, 100)))
    free = next((name for name in names if not file.with_name(name).exists()), "OTHER.json")
    other = shlex.quote(str(file.with_name(free)))
    return UsageError(f"{file} is not a plan", next=f"gapless plan -o {other}")


def _again(plan: Plan, file: Path) -> str:
    names = " ".join(service.name for service in plan.services)
    return f"gapless plan {plan.verb.value} {names} -o {file}"


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"there is no {file}", next=f"gapless plan -o {file}") from None
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", next=f"ls -l {shlex.quote(str(file))}"
        ) from None
    except ValueError:
        raise _no_plan(file) from None
    if not isinstance(data, dict) or data.get("kind") != _KIND:
        raise _no_plan(file)
    return data
