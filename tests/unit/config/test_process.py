"""Every key of a run file, good and bad; all problems at once."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from gapless.config import process_warnings
from gapless.config.compiling import compile_file
from gapless.config.process import ProcessConfig
from gapless.config.slots import in_both, joined
from gapless.errors import ConfigError
from gapless.supervisor.spec import Ready, Spec, Stop, filled


def compiled(folder: Path, text: str, name: str = "web.yaml") -> Spec:
    file = folder / name
    file.write_text(text)
    return compile_file(file)


def spec(folder: Path, *lines: str) -> Spec:
    """A file with a command, and these lines."""
    return compiled(folder, "\n".join(("command: /bin/true --x", *lines)))


def problems(folder: Path, *lines: str) -> list[str]:
    """Places and words of everything that is wrong."""
    with pytest.raises(ConfigError) as caught:
        spec(folder, *lines)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_the_shortest_file_has_every_default(tmp_path: Path) -> None:
    found = spec(tmp_path)
    assert found.name == "web"
    assert found.command == ("/bin/true", "--x")
    assert found.source == str(tmp_path / "web.yaml")
    assert (found.start_timeout, found.settle, found.max_draining) == (60.0, 2.0, 4)
    assert found.ready == Ready()
    assert found.stop == Stop(0.0, 15, 10.0)
    assert (found.flip_signal, found.umask, found.user, found.directory) == (1, -1, "", "")
    assert Spec.from_json(found.to_json()) == found


GOOD: list[tuple[str, str, Any]] = [
    ("name: shop-web", "name", "shop-web"),
    ("directory: sub", "directory", "{folder}/sub"),
    ("pidfile: /run/web.pid", "pidfile", "/run/web.pid"),
    ("environment: {A: x, B: 5, C: null}", "environment", {"A": "x", "B": "5", "C": None}),
    ("starters: einhorn\nlisten: 80", "starters", ("einhorn",)),
    ("starters: [server-starter, einhorn]\nlisten: 80", "starters", ("server-starter", "einhorn")),
    ("probe: true", "probe", "tcp"),
    ("probe: false", "probe", ""),
    ("probe: unix", "probe", "unix"),
    ("nonblocking: true", "nonblocking", True),
    ("start_timeout: 90s", "start_timeout", 90.0),
    ("settle: 0", "settle", 0.0),
    ("stop: {delay: 1s, signal: QUIT, timeout: 1m}", "stop", Stop(1.0, 3, 60.0)),
    ("stop: {signal: SIGSTOP}", "stop", Stop(0.0, signal.SIGSTOP, 10.0)),
    ("max_draining: 1", "max_draining", 1),
    ("flip_signal: SIGUSR1", "flip_signal", 10),
    ("flip_signal: 12", "flip_signal", 12),
    ("flip_signal: RTMIN+1", "flip_signal", int(signal.SIGRTMIN) + 1),
    ("signals: {TERM: INT, USR1: ignore, 12: usr1}", "signals", {"15": 2, "10": 0, "12": 10}),
    ("output: relay", "output", "relay"),
    ("user: root", "user", "root"),
    ("user: 1234", "user", "1234"),
    ("group: root", "group", "root"),
    ("umask: 0027", "umask", 0o27),
    ("umask: 22", "umask", 0o22),
    ("limits: {nofile: 65536}", "limits", {"nofile": (65536, 65536)}),
    ("limits: {nofile: [1024, 4096], core: unlimited}", "limits",
     {"nofile": (1024, 4096), "core": (-1, -1)}),
    ("limits: {nproc: [10, unlimited]}", "limits", {"nproc": (10, -1)}),
    ("x-anchor: anything", "name", "web"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "key", "value"), GOOD, ids=[line for line, _, _ in GOOD])
def test_good(tmp_path: Path, line: str, key: str, value: Any) -> None:
    wanted = value.format(folder=tmp_path) if isinstance(value, str) else value
    assert getattr(spec(tmp_path, line), key) == wanted


def test_every_key_is_tried() -> None:
    tried = " ".join(line for line, _, _ in GOOD)
    elsewhere = {"command", "env_files", "listen", "proxy", "ready"}
    tried_here = {word.split(":")[0] for word in tried.replace("\n", " ").split()}
    assert set(ProcessConfig.model_fields) - elsewhere - tried_here == set()


LISTENS = [
    ("8080", "8080", "tcp://127.0.0.1:8080"),
    ("127.0.0.1:80", "80", "tcp://127.0.0.1:80"),
    ("localhost:80", "80", "tcp://127.0.0.1:80"),
    ("0.0.0.0:80", "80", "tcp://0.0.0.0:80"),
    ('"[::1]:80"', "80", "tcp://[::1]:80"),
    ("tcp://127.0.0.1:0", "0", "tcp://127.0.0.1:0"),
    ("udp://127.0.0.1:53", "53", "udp://127.0.0.1:53"),
    ("/run/web.sock", "web.sock", "unix:///run/web.sock"),
    ("unix:///run/web.sock", "web.sock", "unix:///run/web.sock"),
    ("unix:/run/web.sock", "web.sock", "unix:///run/web.sock"),
    ('"unix://@shop"', "-shop", "unix://@shop"),
]


@pytest.mark.parametrize(("written", "name", "address"), LISTENS)
def test_addresses_to_listen_on(tmp_path: Path, written: str, name: str, address: str) -> None:
    (found,) = spec(tmp_path, f"listen: {written}").listen
    assert (found.name, found.address, found.backlog, found.mode) == (name, address, 4096, 0o666)


def test_a_listen_in_full_and_names_that_never_collide(tmp_path: Path) -> None:
    found = spec(
        tmp_path,
        "listen:",
        "- {name: '80', address: 127.0.0.1:81, backlog: 16}",
        "- 127.0.0.1:80",
        "- '[::1]:80'",
        "- {address: /run/probe, mode: 0600}",
    ).listen
    assert [one.name for one in found] == ["80", "80-2", "80-3", "probe-2"]
    assert (found[0].backlog, found[3].mode) == (16, 0o600)


FORWARDS = [
    ("unix:///run/web-{slot}.sock", "unix:/run/web-{slot}.sock"),
    ("127.0.0.1:{slot:8001|8002}", "127.0.0.1:{slot:8001|8002}"),
    ("'[::1]:{slot:8001|8002}'", "[::1]:{slot:8001|8002}"),
    ("{a: localhost:8081, b: localhost:8082}", "127.0.0.1:{slot:8081|8082}"),
    ("{a: 8081, b: /run/web.sock}", "{slot:127.0.0.1:8081|unix:/run/web.sock}"),
]


@pytest.mark.parametrize(("written", "to"), FORWARDS)
def test_proxies(tmp_path: Path, written: str, to: str) -> None:
    (found,) = spec(tmp_path, "proxy:", "  listen: 127.0.0.1:80", f"  to: {written}").proxy
    assert found.listen == "tcp://127.0.0.1:80"
    assert in_both(found.to) == in_both(to)
    a, b = in_both(found.to)
    assert a != b


READY = [
    ("{alive: 3s}", Ready(after=3.0)),
    ("{notify: true}", Ready("notify", 0.0)),
    ("{command: test -S web.sock, interval: 1s, timeout: 2s, successes: 3}",
     Ready("command", 0.0, ("test", "-S", "web.sock"), interval=1.0, timeout=2.0, successes=3)),
    ("{http: 'probe:/health', status: [200, 301-302], body: ok}",
     Ready("http", 0.0, (), "probe:/health", (200, 301, 302), "ok")),
    ("{http: 'probe:'}", Ready("http", 0.0, (), "probe:/")),
    ("{http: 'http://localhost:{slot:8001|8002}/a?b'}",
     Ready("http", 0.0, (), "127.0.0.1:{slot:8001|8002}/a?b")),
    ("{http: 'http://127.0.0.{slot:1|2}'}", Ready("http", 0.0, (), "127.0.0.{slot:1|2}:80/")),
    ("{http: 'unix:/run/web-{slot}.sock:/health'}",
     Ready("http", 0.0, (), "unix:/run/web-{slot}.sock:/health")),
    ("{http: '127.0.0.1:80/x', shared: true}", Ready("http", 0.0, (), "127.0.0.1:80/x")),
    ("{tcp: '127.0.0.1:{slot:1|2}'}", Ready("tcp", 0.0, (), "127.0.0.1:{slot:1|2}")),
    ("{unix: '/run/web-{slot}.sock'}", Ready("unix", 0.0, (), "/run/web-{slot}.sock")),
    ("{docker: 'web-{slot}', docker_socket: /d.sock}",
     Ready("docker", 0.0, (), "web-{slot}", docker="/d.sock")),
]  # fmt: skip


@pytest.mark.parametrize(("written", "ready"), READY, ids=[written for written, _ in READY])
def test_ready(tmp_path: Path, written: str, ready: Ready) -> None:
    assert spec(tmp_path, f"ready: {written}").ready == ready


def test_a_check_of_the_private_socket_brings_it(tmp_path: Path) -> None:
    assert spec(tmp_path, "ready: {http: 'probe:/'}").probe == "tcp"
    assert spec(tmp_path, "probe: unix", "ready: {http: 'probe:/'}").probe == "unix"


BAD = [
    ("settl: 3s", "2:1: unknown key 'settl' — did you mean 'settle'?"),
    ("settle: 3", "2:9: settle: a duration needs a unit, for example 3s"),
    ("start_timeout: 0", "2:16: start_timeout: 0 leaves no time at all"),
    ("name: a b", "2:7: name: 'a b' does not match"),
    ("max_draining: 0", "2:15: max_draining: must be 1 or more"),
    ("output: loud", "2:9: output: 'loud' is not possible — one of auto, inherit, relay"),
    ("flip_signal: HPU", "2:14: flip_signal: unknown signal 'HPU' — did you mean 'HUP'?"),
    ("flip_signal: KILL", "flip_signal: KILL is not possible: no program can catch it"),
    ("flip_signal: STOP", "flip_signal: STOP is not possible: no program can catch it"),
    ("flip_signal: CHLD", "flip_signal: CHLD is not possible: the supervisor needs it"),
    ("flip_signal: 999", "unknown signal '999'"),
    ("stop: {signal: true}", "signal: write the name of a signal"),
    ("signals: {KILL: ignore}", "KILL: KILL is not possible"),
    ("signals: {TERM: KILL}", "TERM: KILL is not possible"),
    ("signals: {HUP: TERM}", "2:1: signals: HUP starts a flip and is never passed on"),
    ("user: rot", "2:7: user: there is no user 'rot' here — did you mean 'root'?"),
    ("group: rot", "group: there is no group 'rot' here"),
    ("umask: 999", "umask: write permission bits in octal"),
    ("limits: {nofil: 5}", "nofil: unknown limit — did you mean 'nofile'?"),
    ("limits: {nofile: [9, 5]}", "nofile: the soft limit is above the hard one"),
    ("limits: {nofile: lots}", "nofile: write a number, unlimited, or [soft, hard]"),
    ("environment: {A: 1.5}", "A: expected text, got a number — put it in quotes"),
    ("environment: {A B: x}", "A B: the name of a variable has letters, digits and _"),
    ("environment: {LISTEN_PID: x}", "LISTEN_PID: gapless sets it for each copy"),
    ("environment: {A: 'x{Slot}'}", "A: a mistyped placeholder"),
    ("env_files: no.env", "2:12: env_files: there is no {folder}/no.env"),
    ("listen: ':80'", "2:9: listen: ':80' names no host; write 127.0.0.1 (this machine only)"),
    ("listen: '*:80'", "names no host"),
    ("listen: web.example:80", "'web.example' is not a number; names are not looked up here"),
    ("listen: '::1:80'", "write [::1]"),
    ("listen: 127.0.0.1", "has no port"),
    ("listen: 127.0.0.1:70000", "'70000' is not a port"),
    ("listen: http://127.0.0.1:80", "write tcp://, udp:// or unix://"),
    ("listen: unix://run/web.sock", "write a whole path"),
    ("listen: /run/{slot}.sock", "one socket serves both copies"),
    (f"listen: /run/{'x' * 110}", "longer than the 107 bytes"),
    ("listen: [127.0.0.1:80, 80]", "2:24: listen: tcp://127.0.0.1:80 is given twice — see listen"),
    ("listen: 80\nproxy: {listen: 80, to: '127.0.0.1:{slot:1|2}'}", "is given twice"),
    ("listen: [{name: a, address: 80}, {name: a, address: 81}]", "two sockets are called a"),
    ("listen: {name: probe, address: 80}", "probe is the name of the private socket"),
    ("listen: {name: 'a:b', address: 80}", "name: 'a:b' does not match"),
    ("listen: {address: 80, mode: 0600}", "mode belongs to the path of a unix socket"),
    ("listen: {name: a}", "missing key 'address' in 'listen'"),
    ("starters: einhorn", "starters: nothing is handed on without listen"),
    ("starters: einhron", "'einhron' is not possible — did you mean 'einhorn'?"),
    ("probe: udp", "probe: 'udp' is not possible"),
    ("proxy: {listen: 80, to: 127.0.0.1:8001}", "is the same address for both copies"),
    ("proxy: {listen: 80, to: '127.0.0.1:80{slot}'}", "'80a' is not a port"),
    ("proxy: {listen: 80, to: {a: 81}}", "to: a mapping has exactly the keys a and b"),
    ("proxy: {listen: 80, to: 'x.example:{slot:1|2}'}", "'x.example' is not a number"),
    ("proxy: {listen: 'udp://127.0.0.1:80', to: '127.0.0.1:{slot:1|2}'}", "only connections"),
    ("ready: {}", "2:1: ready: give exactly one of alive, notify"),
    ("ready: {alive: 1s, notify: true}", "ready: alive and notify are given; give exactly one"),
    ("ready: {alive: 0}", "alive: 0 leaves no time at all"),
    ("ready: {command: ''}", "command: the command is empty"),
    ("ready: {http: 127.0.0.1:80/health}", "2:15: http: '127.0.0.1:80/health' is answered by the "
     "old copy, too: the check would pass while the new one is not ready — ask probe:/…"),
    ("ready: {tcp: 127.0.0.1:80}", "is answered by the old copy, too"),
    ("ready: {tcp: '127.0.0.1:{slot:80|80}'}", "is answered by the old copy, too"),
    ("ready: {unix: /run/web.sock}", "is answered by the old copy, too"),
    ("ready: {docker: web}", "is answered by the old copy, too"),
    ("ready: {http: 'https://127.0.0.1/'}", "https is not asked; use a command"),
    ("ready: {http: 'http://shop.example/'}", "'shop.example' is not a number"),
    ("ready: {http: 'probe:health'}", "a path begins with /"),
    ("ready: {http: 'probe:/a b'}", "has no blanks"),
    ("ready: {tcp: '127.0.0.1:{port}'}", "unknown placeholder {port} — write {slot}"),
    ("ready: {notify: true, body: x}", "body belongs to an http check"),
    ("ready: {http: 'probe:/', status: 999}", "999 is no HTTP status"),
    ("ready: {unix: probe}", "unix: gapless opens the private socket itself: it accepts before"),
    ("ready: {tcp: 'probe:'}", "tcp: gapless opens the private socket itself: it accepts before"),
    ("directory: /srv/{slot}", "directory: is the same in both slots"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "wanted"), BAD, ids=[line for line, _ in BAD])
def test_bad(tmp_path: Path, line: str, wanted: str) -> None:
    (problem,) = problems(tmp_path, *line.split("\n"))
    assert wanted.format(folder=tmp_path) in problem if "{folder}" in wanted else wanted in problem


@pytest.mark.parametrize("command", ["''", "[]", "[1, 2]", "['']", "{a: b}", "'a \"b'"])
def test_bad_commands(tmp_path: Path, command: str) -> None:
    with pytest.raises(ConfigError):
        compiled(tmp_path, f"command: {command}")


def test_braces_of_the_program_are_its_own(tmp_path: Path) -> None:
    text = """command: [sh, -c, "awk '{print}' ${slots} %{slots}", "{slot}", "{slot:80|81}"]"""
    found = compiled(tmp_path, text)
    assert found.in_slot("b").command[2:] == ("awk '{print}' ${slots} %{slots}", "b", "81")
    with pytest.raises(ConfigError, match="1 problem"):
        compiled(tmp_path, 'command: [serve, "{slots}"]')


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path, "settle: 3", "ready: {tcp: 127.0.0.1:80}", "listen: [80, 80]", "user: rot",
        "env_files: [gone.env]", "settl: 3s",
    )  # fmt: skip
    assert [line.split(":")[1] for line in found] == ["2", "3", "4", "5", "6", "7"]


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n", "name: web\n", "command: ''\n"])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        compiled(tmp_path, text)


def test_a_name_that_a_file_cannot_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="1 problem"):
        compiled(tmp_path, "command: /bin/true", "my web.yaml")
    assert compiled(tmp_path, "{name: w, command: /bin/true}", "my web.yaml").name == "w"


# -- slots ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        ("x", "x", "x"),
        ("web-a.sock", "web-b.sock", "web-{slot}.sock"),
        ("127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:{slot:8001|8002}"),
        ("a", "b", "{slot}"),
        ("/run/x", "/run/x/y", "/run/{slot:x|x/y}"),
        ("aa", "a", "{slot:aa|a}"),
    ],
)
def test_two_texts_in_one(a: str, b: str, text: str) -> None:
    assert joined(a, b) == text
    assert in_both(text) == (a, b)


def test_what_a_slot_means() -> None:
    assert filled("{slot} {slot:blue|green} {slot:x} {other}", "b") == "b green {slot:x} {other}"
    with pytest.raises(ValueError, match="cannot hold"):
        joined("a|", "b|c")


# -- warnings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "told", "untold"),
    [("0", "tcp_migrate_req=1", "-"), ("1", "a unix socket", "SO_REUSEPORT"),
     (None, "SO_REUSEPORT", "tcp_migrate_req")],
)  # fmt: skip
def test_a_program_that_owns_its_socket_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, told: str, untold: str
) -> None:
    sysctl = tmp_path / "tcp_migrate_req"
    if value is not None:
        sysctl.write_text(f"{value}\n")
    monkeypatch.setattr(process_warnings, "MIGRATE", sysctl)
    (warning,) = spec(tmp_path).warnings
    assert "are reset when it closes" in warning
    assert told in warning
    assert untold == "-" or untold not in warning
    assert spec(tmp_path, "listen: 80").warnings == ()
    assert spec(tmp_path, "proxy: {listen: 80, to: '/run/{slot}.sock'}").warnings == ()


def test_a_program_that_is_not_there_yet_is_only_a_warning(tmp_path: Path) -> None:
    found = compiled(tmp_path, "{command: bin/serve, directory: new, listen: 80}").warnings
    assert found == (f"directory: {tmp_path}/new is not there yet",
                     "command: bin/serve is not a program yet")  # fmt: skip
    (tmp_path / "new" / "bin").mkdir(parents=True)
    (tmp_path / "new" / "bin" / "serve").touch(mode=0o755)
    assert compiled(tmp_path, "{command: bin/serve, directory: new, listen: 80}").warnings == ()


# -- two processes --------------------------------------------------------------------------------

PAIR = (
    "name: bot-{slot}", "command: [./bot, '{slot}']", "directory: bots/{slot}",
    "listen: '127.0.0.1:{slot:3001|3002}'", "ready: {http: '127.0.0.1:{slot:3001|3002}/health'}",
    "environment: {COLOR: '{slot:blue|green}'}", "pidfile: '{slot}.pid'",
    "env_files: ['-{slot}.env']",
)  # fmt: skip


def of_pair(folder: Path, name: str, *lines: str) -> Spec:
    file = folder / "bots.yaml"
    file.write_text("\n".join(lines))
    return compile_file(file, name)


@pytest.mark.parametrize(("slot", "port", "color"), [("a", 3001, "blue"), ("b", 3002, "green")])
def test_a_pair_is_two_processes_and_the_name_says_which(
    tmp_path: Path, slot: str, port: int, color: str
) -> None:
    (tmp_path / f"{slot}.env").write_text(f"SECRET=of {slot}\n")
    found = of_pair(tmp_path, f"bot-{slot}", *PAIR)
    assert found.name == f"bot-{slot}"
    assert found.command == ("./bot", slot)
    assert [(one.name, one.address) for one in found.listen] == [
        (str(port), f"tcp://127.0.0.1:{port}")
    ]
    assert found.environment == {"SECRET": f"of {slot}", "COLOR": color}
    assert found.directory == f"{tmp_path}/bots/{slot}"
    assert found.pidfile == f"{tmp_path}/{slot}.pid"
    assert found.ready.target == f"127.0.0.1:{port}/health"
    # a flip of one of them stays in its slot
    assert found.in_slot("a") == found.in_slot("b")


@pytest.mark.parametrize("name", ["", "bot", "bot-c", "bot-{slot}"])
def test_of_a_pair_one_has_to_be_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of_pair(tmp_path, name, *PAIR)
    told = "name: 'bot-{slot}' is two processes, bot-a and bot-b — say which: --name bot-a"
    assert told in caught.value.evidence


PAIR_BAD = [
    ("listen: 3001", "listen: 'tcp://127.0.0.1:3001' is the same for both: the second cannot"),
    ("proxy: {listen: 80, to: '127.0.0.1:{slot:1|2}'}", "proxy: each of two processes has an"),
    ("pidfile: bot.pid", "pidfile: 'bot.pid' is the same for both"),
    ("ready: {tcp: 127.0.0.1:80}", "is answered by the old copy, too"),
]


@pytest.mark.parametrize(("line", "wanted"), PAIR_BAD, ids=[line for line, _ in PAIR_BAD])
def test_what_a_pair_cannot_share(tmp_path: Path, line: str, wanted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of_pair(tmp_path, "bot-a", "name: bot-{slot}", "command: ./bot", line)
    assert wanted in caught.value.evidence


def test_a_name_that_gets_too_long_in_its_slot(tmp_path: Path) -> None:
    name = f"bot-{{slot:{'x' * 70}|b}}"
    with pytest.raises(ConfigError) as caught:
        of_pair(tmp_path, "bot-b", f"name: '{name}'", "command: ./bot")
    assert "is too long with what it stands for" in caught.value.evidence
