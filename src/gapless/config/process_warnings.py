"""What is allowed in a run file and may still surprise."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from gapless.config.process import ProcessConfig
from gapless.config.slots import in_both

MIGRATE = Path("/proc/sys/net/ipv4/tcp_migrate_req")


def warnings(config: ProcessConfig) -> tuple[str, ...]:
    """Each in a line or two."""
    return (*_own_socket(config), *_missing(config))


def _own_socket(config: ProcessConfig) -> Iterator[str]:
    if config.listen or config.proxy or "HANDOVER_DIR" in config.environment:
        return  # a program that hands over connects to others
    migrates = _migrates()
    kind = "a unix socket" if migrates else "SO_REUSEPORT or a unix socket"
    sysctl = ", or set net.ipv4.tcp_migrate_req=1 for TCP (it is 0)" if migrates is False else ""
    yield (
        f"no listen and no proxy: if the program opens {kind} itself, connections that wait in the "
        "old copy's queue are reset when it closes; let gapless open it (listen), pass them on "
        f"(proxy){sysctl}"
    )


def _migrates() -> bool | None:
    """Whether the kernel moves waiting connections to another listener; None: it cannot."""
    try:
        return MIGRATE.read_text().strip() != "0"
    except OSError:
        return None


def _missing(config: ProcessConfig) -> Iterator[str]:
    """Said, not refused: it may come with the release."""
    folder = Path(config.directory or ".")
    if config.directory and not folder.is_dir():
        yield f"directory: {folder} is not there yet"
    for program in dict.fromkeys(in_both(config.command[0])):
        if "/" in program:
            there = os.access(folder / program, os.X_OK)
        else:
            path = config.environment.get("PATH") or os.environ.get("PATH")
            there = shutil.which(program, path=path) is not None
        if not there:
            yield f"command: {program} is not a program yet"
