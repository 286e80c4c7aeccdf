"""What is deployed: an application of each kind, in a version, or one that cannot start.

Every answer is ``PID GENERATION VERSION``, as the load client counts it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.supervisor.rig import PROGRAMS

FORGOTTEN = "a_module_that_this_release_forgot"

_WSGI = """\
import os
{fault}

def app(environ, start):
    body = f"{{os.getpid()}} {{os.environ['GAPLESS_GENERATION']}} {version}\\n".encode()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""

_ASGI = """\
import os
{fault}

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        {ready}
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    body = f"{{os.getpid()}} {{os.environ['GAPLESS_GENERATION']}} {version}\\n".encode()
    length = [(b"content-length", str(len(body)).encode())]
    await send({{"type": "http.response.start", "status": 200, "headers": length}})
    await send({{"type": "http.response.body", "body": body}})
"""

_NODE = """\
{fault}
module.exports = (request, response) => {{
  const body = `${{process.pid}} ${{process.env.GAPLESS_GENERATION}} {version}\\n`;
  response.setHeader("Content-Length", body.length);
  response.end(body);
}};
"""

_PHP = """\
<?php
echo getmypid() . " " . getenv("GAPLESS_GENERATION") . " " . getenv("VERSION") . "\\n";
"""

_POOL = """\
env[VERSION] = {version}
{fault}
"""

_NGINX = """\
{fault}
location / {{ return 200 "$pid - {version}\\n"; }}
"""

_PLAIN = """\
#!/bin/sh
export VERSION={version} BEHAVIOUR={fault}
exec {python} -I -S {serve} --bind "127.0.0.1:$2"
"""


def wsgi(folder: Path, version: str, *, broken: bool) -> None:
    fault = f"import {FORGOTTEN}" if broken else ""
    _write(folder / "shop.py", _WSGI.format(version=version, fault=fault))


def asgi(folder: Path, version: str, *, broken: bool) -> None:
    fault = f"import {FORGOTTEN}" if broken else ""
    ready = "__import__('ready').ready()" if (folder / "ready.py").exists() else "pass"
    _write(folder / "shop.py", _ASGI.format(version=version, fault=fault, ready=ready))


def node(folder: Path, version: str, *, broken: bool) -> None:
    fault = f'require("{FORGOTTEN}");' if broken else ""
    _write(folder / "shop.js", _NODE.format(version=version, fault=fault))


def php(folder: Path, version: str, *, broken: bool) -> None:
    """Scripts are read at each request, by whatever copy: a release is a configuration."""
    fault = f"{FORGOTTEN} = 1" if broken else ""
    _write(folder / "shop.php", _PHP)
    _write(folder / "shop.conf", _POOL.format(version=version, fault=fault))


def nginx(folder: Path, version: str, *, broken: bool) -> None:
    fault = f"{FORGOTTEN} on;" if broken else ""
    _write(folder / "shop.conf", _NGINX.format(version=version, fault=fault))


def plain(folder: Path, version: str, *, broken: bool) -> None:
    fault = "import-error" if broken else ""
    words = {"python": sys.executable, "serve": PROGRAMS / "serve.py"}
    _write(folder / "serve", _PLAIN.format(version=version, fault=fault, **words))


def _write(path: Path, text: str) -> None:
    """In one step: a copy that is being started reads the old or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(text)
    fresh.chmod(0o755)
    fresh.rename(path)
