"""``run.md``: every key of a run file, from the models that read it."""

from __future__ import annotations

from docs.generators.config import section, sections
from docs.generators.markdown import page
from gapless.config.process import LIMITS, ProcessConfig

_INTRO = """
A run file describes one process for `gapless run -c FILE`. It is YAML, one mapping, and is read
again at each flip. Only `command` is required. How the verbs work is in
[the command line](cli.md#gapless-run).

```yaml
command: ./serve --workers 4
listen: 127.0.0.1:8080
ready: {http: "probe:/health", timeout: 2s}
settle: 5s
stop: {timeout: 30s}
env_files: [-/etc/default/web]
limits: {nofile: 65536}
```

## How values are written

- **duration**: a number with its unit: `500ms`, `30s`, `5m`, `1h30m`.
- **command**: a line, or a list of words. It is never given to a shell.
- **address**: `127.0.0.1:8080`, `tcp://[::1]:80`, `udp://127.0.0.1:53`, `unix:///run/web.sock`,
  `unix://@name`. A port alone is on 127.0.0.1. Host names are refused, but `localhost`.
- **signal**: `HUP`, `SIGHUP`, `RTMIN+1` or a number.
- **octal number**: `0660` as chmod reads it.
- **limit**: a number, `unlimited`, or `[soft, hard]`.
- Paths are seen from the file's folder.
- Only `true` and `false` are booleans. Keys that begin with `x-` are ignored.

## Slots

While a flip goes on there are two copies, one in slot `a` and one in slot `b`. `{slot}` is the
letter, `{slot:8001|8002}` is the first text in slot a and the second in slot b. Both may stand in
`command`, `environment`, environment files, `ready` and `proxy.to`. In YAML a value that begins
with `{`, or stands between brackets, needs quotes.

With `{slot}` in its `name` a run file is that of two processes, each with a supervisor of its own:
`gapless run -c bot.yaml --name bot-a` and `--name bot-b`. Then it may stand in every value, also in
`listen`, `directory` and `pidfile`, and a flip stays in its slot. That is what a
[pair](../how-to/start-first.md#a-pair-of-processes) is made of.

## What each copy gets

The environment of `gapless run` without `LISTEN_*`, `NOTIFY_SOCKET`, `WATCHDOG_*`, `MAINPID` and
`GAPLESS_*`; with `user`, that user's `HOME`, `USER`, `LOGNAME` and `SHELL` in place of ours, as
under systemd (no `SHELL` where it is nologin or false); then `env_files` and `environment`; then
these:

| variable | holds |
| --- | --- |
| `LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES` | the sockets, from descriptor 3 on; `probe` last |
| `SERVER_STARTER_PORT` | the same for `starters: server-starter` |
| `EINHORN_FD_COUNT`, `EINHORN_FD_0` …, `EINHORN_MASTER_PID` | the same for `starters: einhorn` |
| `NOTIFY_SOCKET` | where READY=1 is sent |
| `GAPLESS_NAME`, `GAPLESS_GENERATION`, `GAPLESS_SLOT` | who it is |
| `GAPLESS_PROBE` | the address of its private socket |
"""


def generate() -> str:
    """The whole page."""
    limits = ", ".join(f"`{name}`" for name in LIMITS)
    return page(
        "Run file",
        _INTRO,
        *(section(model) for model in sections(ProcessConfig)),
        f"## Resource limits\n\n{limits}.",
    )
