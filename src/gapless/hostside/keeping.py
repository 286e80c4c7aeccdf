"""A container written down on its host, so that the same one can be made again.

The file may hold secrets: nobody else reads it, and nothing of it leaves the host.
"""

from __future__ import annotations

import json
import os

from gapless.hostside import files
from gapless.hostside.calls import Call
from gapless.hostside.container_body import body_of
from gapless.hostside.container_engine import Engine
from gapless.hostside.copied_files import copied_into
from gapless.hostside.faults import Fault, from_os_error
from gapless.hostside.labels import IMAGE
from gapless.hostside.silence import silence_told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def keep(call: Call) -> None:
    """The verb."""
    args = call.args
    with silence_told(args["socket"]):
        engine = Engine(args["socket"], args["timeout"])
        kept = _to_keep(engine, args["container"], args["copied"])
    call.check()
    try:
        os.makedirs(os.path.dirname(args["path"]), mode=0o700, exist_ok=True)
        files.write_atomically(args["path"], json.dumps(kept).encode())
    except OSError as error:
        raise from_os_error(error, "cannot write") from error


def _to_keep(engine: Engine, identity: str, perhaps: Sequence[str]) -> dict[str, Any]:
    """All that makes it the same again; the image is the one that it has now, whatever is called
    so by then."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    if one is None:
        raise Fault("there is no container " + identity)
    body = body_of(one)
    config = body["config"]
    config["Labels"].setdefault(IMAGE, config["Image"])
    config["Image"] = one["Image"]
    return {**body, "files": copied_into(engine, one, perhaps)}
