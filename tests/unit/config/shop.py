"""The project of the examples, as text."""

from __future__ import annotations

import textwrap
from pathlib import Path

from gapless.config.source import Loaded, load_config
from gapless.errors import ConfigError

SHOP = """\
project: shop
hosts:
  web[1:4].shop.example: {user: deploy, groups: [web]}
  db1.shop.example: {user: deploy, groups: [db]}
  lb1.shop.example:
defaults:
  health: {timeout: 30s, interval: 2s, retries: 3, retry_delay: 5s}
  soak: 30s
balancers:
  edge: {haproxy: {socket: /run/haproxy/admin.sock, on: [lb1.shop.example], backend: shop}}
services:
  shop.postgresql:
    on: [db]
    systemd: shop-postgresql.service
    health: {command: pg_isready -h localhost}
  shop.api:
    on: [web]
    systemd: {unit: shop-api.service, reload: try}
    after: [shop.postgresql]
    health: {http: "http://{host}:3001/health", expect: {status: 200, json: {status: healthy}}}
    balancer: edge
    release: {directory: dist, to: /srv/shop/api}
    migrate: {run: ./node_modules/.bin/prisma migrate deploy}
    rollout: {canary: 1, batch: 25%, max_unavailable: 1, max_failed: 0, on_failure: rollback}
environments:
  staging:
    project: shop-staging
    defaults: {soak: 5s}
    hosts:
      web[1:4].shop.example: null
      stage1.shop.example: {groups: [web]}
    services:
      shop.api:
        after: []
        rollout: {canary: 0}
"""


def write(folder: Path, text: str = SHOP) -> Path:
    """The file; text may be indented."""
    file = folder / "gapless.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def loaded(folder: Path, text: str = SHOP, environment: str | None = None) -> Loaded:
    """The project."""
    return load_config(write(folder, text), environment)


def problems(folder: Path, text: str, environment: str | None = None) -> list[str]:
    """What is wrong with a text, as ``line:column: …``; nothing when it loads."""
    file = write(folder, text)
    try:
        load_config(file, environment)
    except ConfigError as error:
        return [str(problem).removeprefix(f"{file}:") for problem in error.problems]
    return []


def service(**lines: str) -> str:
    """A small right file whose only service has these keys besides the needed ones."""
    keys = {"on": "[web]", "systemd": "api", **lines}
    body = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    hosts = "hosts:\n  web[1:4]: {groups: [web]}\n"
    return f"project: shop\n{hosts}services:\n  api:\n{body}"
