"""A project with templates, read from a folder."""

from __future__ import annotations

from pathlib import Path

from gapless.config.source import Loaded, load_config

CONFIG = """\
project: shop
hosts:
  web1: {groups: [web, fast], zone: a, variables: {level: host}}
  web2.shop.example: {groups: [web], address: 10.0.0.2}
groups:
  all: {variables: {level: all, from_all: 1}}
  web: {variables: {level: web, ports: {http: 80}}, secrets: {db: "env:WEB_DB"}}
  fast: {variables: {level: fast, ports: {https: 443}}}
variables: {level: project, on: true, off: false, nothing: null, ports: {http: 8080}}
secrets: {db: "env:DB", other: "env:OTHER"}
services:
  api:
    on: [web]
    systemd: api.service
    config: FILES
  store:
    on: [web]
    systemd: store.service
    variables: {level: service}
    secrets: {db: "env:STORE_DB"}
environments:
  staging:
    variables: {level: staging, ports: {ssh: 22}}
    groups: {web: {variables: {level: null}}}
"""


def project(folder: Path, files: str = "[]", environment: str | None = None) -> Loaded:
    """With these entries of ``config``."""
    (folder / "gapless.yaml").write_text(CONFIG.replace("FILES", files))
    return load_config(folder / "gapless.yaml", environment)
