"""Ansible and pyinfra, from a virtual environment of their own, doing the same to the same fleet.

The environment is made at the first long run, in $GAPLESS_BENCH_CACHE (default
~/.cache/gapless-bench/peers); delete it to have it made anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("ansible-core>=2.19", "pyinfra>=3.5")
SHARED = 5.0
"""Seconds for which Ansible keeps its connections for the next task; as long as we wait for them
to end after it."""

_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  serial: {batch}
  tasks:
    - command: {control} stop
    - command: {control} start
    - uri: {{url: "http://{{{{ inventory_hostname }}}}:{service_port}/health"}}
      register: answer
      until: answer.status == 200
      retries: 50
      delay: 0.1
"""

_DEPLOY = """\
from pyinfra.operations import server

server.shell(commands=["{control} stop", "{control} start", "{control} wait"])
"""


def folder() -> Path:
    """Where the environment is."""
    chosen = os.environ.get("GAPLESS_BENCH_CACHE", "~/.cache/gapless-bench")
    return Path(chosen).expanduser() / "peers"


def install() -> str:
    """Make the environment; why that is not possible, or ""."""
    done = folder() / "bin" / "pyinfra"
    if done.exists() and (folder() / "bin" / "ansible-playbook").exists():
        return ""
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder())], check=True)
        pip = [str(folder() / "bin" / "pip"), "install", "-q", *PACKAGES]
        subprocess.run(pip, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return str(getattr(error, "stderr", "") or error).strip().splitlines()[-1]
    return ""


def commands(description: Path, kind: str, hosts: int, batch: int) -> dict[str, list[str]]:
    """What to run for each peer."""
    told = json.loads(description.read_text())
    here = description.parent
    addresses = told["addresses"][:hosts]
    inventory = _inventory(here, told, addresses)
    (here / "playbook.yml").write_text(_PLAYBOOK.format(batch=batch, **told))
    (here / "deploy.py").write_text(_DEPLOY.format(**told))
    (here / "inventory.py").write_text(_pyinfra_inventory(told, addresses))
    tools = folder() / "bin"
    ansible = [str(tools / "ansible"), "-i", str(inventory), "-f", "50", "all", "-m", "raw"]
    playbook = [str(tools / "ansible-playbook"), "-i", str(inventory), "-f", "50"]
    pyinfra = [str(tools / "pyinfra"), "-y", str(here / "inventory.py")]
    if kind == "true":
        return {
            "ansible raw": [*ansible, "-a", "true"],
            "pyinfra exec": [*pyinfra, "exec", "--", "true"],
        }
    one_by_one = ["--serial"] if batch == 1 else ["--parallel", str(batch)]
    return {
        "ansible playbook": [*playbook, str(here / "playbook.yml")],
        "pyinfra": [*pyinfra, *one_by_one, str(here / "deploy.py")],
    }


def environment(description: Path) -> dict[str, str]:
    """Settings under which they are at their best."""
    here = description.parent
    tools = folder() / "bin"
    return {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(here / "home"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_HOME": str(here / "home" / ".ansible"),
        "ANSIBLE_SSH_ARGS": _ssh_options(here),
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "LC_ALL": "C.UTF-8",
    }


def _ssh_options(here: Path) -> str:
    return (
        f"-o UserKnownHostsFile={here}/known_hosts -o IdentitiesOnly=yes -o KexAlgorithms="
        f"curve25519-sha256 -o ControlMaster=auto -o ControlPersist={SHARED:g}s "
        f"-o ControlPath={here}/home/%C"
    )


def _inventory(here: Path, told: dict[str, Any], addresses: list[str]) -> Path:
    login = (
        f"ansible_port={told['port']} ansible_user={told['user']} "
        f"ansible_ssh_private_key_file={told['key']} ansible_python_interpreter={told['python']}"
    )
    file = here / "inventory.ini"
    file.write_text("".join(f"{address} {login}\n" for address in addresses))
    return file


def _pyinfra_inventory(told: dict[str, Any], addresses: list[str]) -> str:
    login = {
        "ssh_port": told["port"],
        "ssh_user": told["user"],
        "ssh_key": told["key"],
        "ssh_known_hosts_file": told["known_hosts"],
    }
    return f"hosts = {[(address, login) for address in addresses]!r}\n"
