"""Packs the helper for its way over stdin. Runs on the controller, and for runners on the host.

It goes as byte code of the controller's Python. A host with another Python asks for the sources
instead: one more round trip there, 15 ms of processor spared on every other host.
"""

from __future__ import annotations

import marshal
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any


SOURCES_WANTED = b"gapless-sources\n"
"""What BOOT writes when it cannot use the byte code it got."""
ANY = "any"
"""The tag of a bundle that every Python understands."""
_FORMATS = {ANY: 2}
"""marshal's format by tag: byte code is shorter in format 4, which its own Python has."""
TAG = (
    'str(sys.implementation.cache_tag)+"-"'
    '+getattr(sys.modules.get("_frozen_importlib_external"),"MAGIC_NUMBER",b"").hex()'
)
"""Names the byte code of a Python, in its own words: a pre-release shares the cache tag of the
release, and does not run what that compiled."""

# One line, no "!", "$", "%" or backslash: single quotes keep it whole whatever the login shell
# is, and systemd expands nothing in it. marshal's format 2 is the same in every Python there is.
BOOT = (
    "import sys,marshal,zlib;"
    'sys.version_info<(3,8) and sys.exit("gapless needs Python 3.8 or newer, not "+sys.version);'
    "r=sys.stdin.buffer;"
    "n=lambda:[r.readline().decode().strip(),r.read(int(r.readline()))];"
    "s=marshal.loads(n()[1]);"
    "p=n();"
    f't={TAG};p=p if p[0] in ("{ANY}",t) else '
    f'print("{SOURCES_WANTED.decode().strip()}",flush=True) or n();'
    "b=marshal.loads(zlib.decompress(p[1]));"
    'g={"__name__":"gapless_boot"};exec(b["boot"],g);g["start"](b,s)'
)
LOOP = "gapless.hostside.loop"
RUNNER = "gapless.hostside.runner"


def byte_code_tag() -> str:
    """The name of this Python's byte code, as BOOT finds it."""
    magic = getattr(sys.modules.get("_frozen_importlib_external"), "MAGIC_NUMBER", b"")
    return f"{sys.implementation.cache_tag}-{magic.hex()}"


def interpreter(python: str) -> tuple[str, ...]:
    """The argv that waits for a bundle on stdin: isolated, without site packages."""
    return (python, "-I", "-S", "-c", BOOT)


def read_sources() -> dict[str, str]:
    """Module name to source of everything a host needs."""
    from pathlib import Path  # costs a host time that never calls this

    here = Path(__file__).parent
    sources = {"gapless": "", "gapless.hostside": ""}
    for file in sorted(here.glob("*.py")):
        if file.stem != "__init__":
            sources[f"gapless.hostside.{file.stem}"] = file.read_text(encoding="utf-8")
    return sources


def compiled(sources: dict[str, str]) -> dict[str, CodeType]:
    """Byte code without docstrings and line numbers, which are half of it."""
    return {
        name: _bare(compile(text, f"<{name}>", "exec", dont_inherit=True, optimize=2))
        for name, text in sources.items()
    }


def _bare(code: CodeType) -> CodeType:
    inner = tuple(_bare(part) if isinstance(part, type(code)) else part for part in code.co_consts)
    return code.replace(co_consts=inner, co_linetable=b"")


def pack_settings(settings: dict[str, Any]) -> bytes:
    """What precedes the bundle: it differs from host to host, the bundle does not."""
    return _framed(ANY, marshal.dumps(settings, 2))


def pack(modules: dict[str, Any], main: str) -> bytes:
    """What BOOT wants to read then: everything that runs, and where it begins.

    ``modules`` are all sources, or all byte code of the Python that packs them."""
    boot = modules["gapless.hostside.boot"]
    tag = ANY if isinstance(boot, str) else byte_code_tag()
    content = marshal.dumps({"boot": boot, "modules": modules, "main": main}, _FORMATS.get(tag, 4))
    return _framed(tag, zlib.compress(content, 6))


def _framed(tag: str, content: bytes) -> bytes:
    return b"%s\n%d\n" % (tag.encode(), len(content)) + content
