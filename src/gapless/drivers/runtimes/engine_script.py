"""What is run on a container host, sent over stdin: questions and orders to the engine's socket.

Needs Python 3.8 and its standard library there, and nothing of gapless. What leaves the host is
chosen here: an environment may hold secrets, so it never does.

    project SOCKET SERVICE FILE... -- COMPOSE...   what a compose project says of it
    keep SOCKET ID FILE PATH...         write all that is needed to make a container again; files
                                        that compose may have copied into one it made alone
    make SOCKET STARTS LABEL... -- LABEL... -- COMPOSE...   one more by ``compose up``, more labels
    create SOCKET NAME LABEL... -- CREATE... -- WORD...   one by ``docker create``, and start it
    again SOCKET FILE [NAME] -- LABEL...   make one from such a file, and start it
    hook SOCKET NAME SECONDS -- EXEC...   a command in it; what is wrong with that is no failure
    end SOCKET ID SECONDS               stop it, with so much time to end by itself, and remove it
    disarm SOCKET ID                    have the engine not start it again when it ends
    rearm SOCKET ID                     undo that
    account SOCKET ID                   as whom it was told to run: NAME, UID, UID:GID or nothing

Containers of one service are made one after another, whoever asks: compose is told how many there
are to be, and that is one more than there are.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import socket
import sys
import tempfile
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence
    from typing import Any

PREFIX = "com.docker.compose."
NUMBER = PREFIX + "container-number"
OWN = "gapless."
COPIED = OWN + "copied"
"""Label: a list of the files that compose copied into it. They are in no layer of its image and in
no setting."""
LIMIT = 60.0
NEVER = {"RestartPolicy": {"Name": "no"}}
KILLED = 128 + 9
"""Status of what SIGKILL ended."""
BREATH = 0.05
"""Seconds between two looks."""


class Refused(Exception):
    """What the engine or compose said."""


class Engine:
    """Its API on a unix socket, a connection for each question. ``http.client`` would take longer
    to import than most of this takes."""

    def __init__(self, path: str) -> None:
        self._path = path

    def ask(self, method: str, path: str, body: Any = None, patience: float = 0.0) -> Any:
        """The answer as plain data; None for one that has none, or that there is no such thing.
        ``patience``: seconds that it may take longer than others."""
        sent = b"" if body is None else json.dumps(body).encode()
        told = self._answer(method, path, sent, "application/json", LIMIT + patience)
        return json.loads(told) if told and told.strip() else None

    def pack(self, identity: str, path: str) -> bytes | None:
        """An archive of one file or folder of a container; None where it is not."""
        where = f"/containers/{identity}/archive?path={quoted(path)}"
        return self._answer("GET", where, b"", "application/json", LIMIT)

    def unpack(self, identity: str, archive: bytes) -> None:
        """In the root folder of a container."""
        where = f"/containers/{identity}/archive?path=/"
        self._answer("PUT", where, archive, "application/x-tar", LIMIT)

    def _answer(self, method: str, path: str, sent: bytes, kind: str, limit: float) -> bytes | None:
        heads = ("Host: engine", f"Content-Type: {kind}", f"Content-Length: {len(sent)}")
        asked = "\r\n".join((f"{method} {path} HTTP/1.0", *heads, "", "")).encode() + sent
        first, _, told = self._exchange(asked, limit).partition(b"\r\n\r\n")
        status = int((first.split(b" ", 2)[1:2] or [b"0"])[0])
        if status == 404 and method in ("GET", "DELETE"):
            return None
        if not 200 <= status < 400:
            words = json.loads(told or b"{}").get("message")
            raise Refused(words or f"{self._path} answered: {first[:100].decode('latin-1')}")
        return told

    def _exchange(self, asked: bytes, limit: float) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(limit)
            connection.connect(self._path)
            connection.sendall(asked)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    def labelled(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """All containers that have these labels, whatever their state."""
        wanted = quoted(json.dumps({"label": labels}))
        found = self.ask("GET", "/containers/json?all=1&filters=" + wanted)
        seen = (self.ask("GET", f"/containers/{one['Id']}/json") for one in found)
        return [one for one in seen if one]


def quoted(text: str) -> str:
    """For an address."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def project(service: str, files: Sequence[str], compose: Sequence[str]) -> dict[str, Any]:
    """What there is of the service in a project's resolved configuration, and whether nothing but
    the files has a say in it."""
    asked = [begin([*compose, "config", *words]) for words in (_RESOLVED, ("--hash", service))]
    told, hashed = [(*one.communicate(), one.returncode) for one in asked]
    resolved = json.loads(answer(*told))
    if service not in resolved["services"]:
        raise Refused(no_such(service, resolved))
    written = answer(*hashed)
    one = resolved["services"][service]
    networks = one.get("networks") or {}
    return {
        "name": resolved["name"],
        "hash": written.split()[-1],
        "image": one.get("image", ""),
        "build": "build" in one,
        "container_name": one.get("container_name", ""),
        "ports": [str(port.get("published", "")) for port in one.get("ports", [])],
        "volumes": [
            volume.get("source") or volume["target"]
            for volume in one.get("volumes", [])
            if volume["type"] in ("bind", "volume") and not volume.get("read_only")
        ],
        "network_mode": one.get("network_mode", ""),
        "static": [name for name, net in networks.items() if (net or {}).get("ipv4_address")],
        "replicas": one.get("scale") or (one.get("deploy") or {}).get("replicas") or 1,
        "copied": [
            os.path.join(folder, given.get("target") or given["source"])
            for kind, folder in (("secrets", SECRETS), ("configs", "/"))
            for given in one.get(kind, [])
            if not {"file", "external"} & {*resolved[kind][given["source"]]}
        ],
        "read_only": bool(one.get("read_only")),
        "healthcheck": bool(one.get("healthcheck")),
        "hooks": bool(one.get("post_start")),
        "lasting": is_all(files),
        "folder": os.getcwd(),
    }


SECRETS = "/run/secrets"
_RESOLVED = ("--format", "json")
_ELSEWHERE = re.compile(rb"\b(include|extends|env_file|label_file)\b|^\s*COMPOSE_", re.MULTILINE)
"""What has compose read more files than those it is given."""


def is_all(files: Sequence[str]) -> bool:
    """Whether compose has read these files and no other."""
    if any(name.startswith("COMPOSE_") for name in os.environ):
        return False
    there = [path for path in files if os.path.exists(path)]
    for path in there:
        with open(path, "rb") as file:
            if _ELSEWHERE.search(file.read()):
                return False
    return any(not path.endswith("/.env") for path in there)


def begin(argv: Sequence[str]) -> subprocess.Popen[str]:
    """Start a program whose output is wanted."""
    import subprocess

    try:
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise Refused(f"there is no program {argv[0]} on this host") from None


def answer(told: str, refused: str, status: int) -> str:
    """The output of compose, when it has ended well."""
    if status:
        raise Refused(refused.strip() or f"compose ended with status {status}")
    return told


def no_such(service: str, resolved: dict[str, Any]) -> str:
    """What the project has in its place, and which of these comes near."""
    from difflib import get_close_matches

    known = sorted(resolved["services"])
    close = get_close_matches(service, known, n=1)
    meant = f" — did you mean '{close[0]}'?" if close else ""
    has = f"it has {', '.join(known)}" if known else "it has none"
    return f"the compose project {resolved['name']} has no service '{service}', {has}{meant}"


def body_of(one: dict[str, Any]) -> dict[str, Any]:
    """All that the engine wants to know to make the same container."""
    made_up = one["Id"][:12]
    config = dict(one["Config"])
    if config.get("Hostname") == made_up:
        del config["Hostname"]
    networks = {
        name: {
            "IPAMConfig": net.get("IPAMConfig"),
            "Links": net.get("Links"),
            "DriverOpts": net.get("DriverOpts"),
            "Aliases": [a for a in net.get("Aliases") or () if a not in (made_up, one["Name"][1:])],
        }
        for name, net in (one["NetworkSettings"]["Networks"] or {}).items()
    }
    if not one["HostConfig"]["NetworkMode"].startswith(("host", "none", "container:")):
        one["HostConfig"]["NetworkMode"] = next(iter(networks), one["HostConfig"]["NetworkMode"])
    return {"name": one["Name"][1:], "config": config, "host": one["HostConfig"], "nets": networks}


def make(engine: Engine, body: dict[str, Any], labels: dict[str, str]) -> str:
    """A container that does not run yet; its id."""
    first = body["host"]["NetworkMode"]
    named = first in body["nets"] and first not in ("bridge", "default")
    made = {**body["config"], "HostConfig": body["host"]}
    made["Labels"] = {**made["Labels"], **labels}
    if OWN + "cord" in made["Labels"]:
        made["Healthcheck"] = corded(made, float(made["Labels"][OWN + "cord"]))
    hand_over(made)
    if named:
        made["NetworkingConfig"] = {"EndpointsConfig": {first: body["nets"][first]}}
    found: str = engine.ask("POST", f"/containers/create?name={body['name']}", made)["Id"]
    for name, net in body["nets"].items():
        if name != first and named:
            wanted = {"Container": found, "EndpointConfig": net}
            engine.ask("POST", f"/networks/{name}/connect", wanted)
    return found


def handed() -> dict[str, str]:
    """The variables of handover/1 for what is made now, from our own environment."""
    found: dict[str, str] = json.loads(os.environ.get("GAPLESS_HANDOVER") or "{}")
    return found


def hand_over(made: dict[str, Any]) -> None:
    """With these variables, and the folder that both copies share at the same place as here."""
    given = handed()
    if not given:
        return
    has = [word for word in made.get("Env") or () if word.partition("=")[0] not in given]
    made["Env"] = [*has, *(f"{name}={value}" for name, value in given.items())]
    host, folder = made["HostConfig"], given["HANDOVER_DIR"]
    mounted = [bind.split(":")[1] for bind in host.get("Binds") or ()]
    mounted += [mount["Target"] for mount in host.get("Mounts") or ()]
    if folder not in mounted:
        host["Binds"] = [*(host.get("Binds") or ()), f"{folder}:{folder}"]


CORD = "/.gapless-cord"
"""While this file in a container holds anything the container may be healthy."""
SECOND = 10**9
"""Nanoseconds, in which the engine counts."""
# $0 the cord, $1 how often the check that was there may fail, $2 the seconds between its tries, and
# then that check. Without one nothing is left of the words, and a cord is all that is asked for.
CHECK = """
[ -s "$0" ] || exit 1
left=$1 pause=$2
shift 2
[ $# -gt 0 ] || exit 0
until "$@"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || exit 1
    sleep "$pause"
    [ -s "$0" ] || exit 1
done
"""


def corded(config: dict[str, Any], every: float) -> dict[str, Any]:
    """The health check with a cord in it, looked at each ``every`` seconds: one look without it,
    and the container is unhealthy. The check that was there keeps its tries and its time."""
    before = config.get("Healthcheck") or {}
    test = before.get("Test") or []
    if CORD in test:
        return before
    if config["HostConfig"].get("ReadonlyRootfs"):
        raise Refused("read_only: a container that cannot be written to can have no cord")
    own = test[1:] if test[:1] == ["CMD"] else []
    if test[:1] == ["CMD-SHELL"]:
        own = [*(config.get("Shell") or ["/bin/sh", "-c"]), *test[1:]]
    tries = before.get("Retries") or 3
    pause, limit = before.get("Interval") or 30 * SECOND, before.get("Timeout") or 30 * SECOND
    said = [CORD, str(tries), str(-(-pause // SECOND)), *own]
    return {
        **before,
        "Test": ["CMD", "/bin/sh", "-c", CHECK, *said],
        "Interval": int(every * SECOND),
        "Retries": 1,
        "Timeout": tries * limit + (tries - 1) * pause,
    }


@contextlib.contextmanager
def alone(labels: Sequence[str]) -> Iterator[None]:
    """Wait until nobody else makes a container with these labels. Whoever dies lets go: the name is
    that of a socket which no file holds."""
    name = "\0gapless." + hashlib.sha256("\n".join(sorted(labels)).encode()).hexdigest()
    with socket.socket(socket.AF_UNIX) as held:
        while not taken(held, name):
            time.sleep(BREATH)
        yield


def taken(held: socket.socket, name: str) -> bool:
    """Whether the name is ours now."""
    try:
        held.bind(name)
    except OSError:
        return False
    return True


def make_one_more(
    engine: Engine, labels: Sequence[str], more: dict[str, str], compose: Sequence[str], starts: str
) -> str:
    """Have compose create a container, label it and start it. What is there is neither made again
    nor stopped; what an earlier call left half made goes. ``starts``: "compose" where something
    hooks on to that, "engine" takes half the time, "asked" has the project say which."""
    service = dict(label.split("=", 1) for label in labels)[PREFIX + "service"]
    up = [*compose, "up", "--no-deps", "--no-recreate"]
    if starts == "asked":
        written = project(service, (), compose)
        starts = "compose" if written["hooks"] or written["copied"] else "engine"
        more = {**more, **({COPIED: json.dumps(written["copied"])} if written["copied"] else {})}
    making = Making(engine, labels)
    with alone(labels):
        there = making.begin()
        if starts == "compose":
            refuse_unstarted(there)
        scaled = ["--scale", f"{service}={1 + len(there)}", service]
        order([*up, "--no-start", "--quiet-pull", *scaled])
        made = label(engine, labels, more, there)
        making.done()
        if starts == "compose":
            order([*up, "--no-build", "--detach", *scaled])
        else:
            engine.ask("POST", f"/containers/{made}/start")
    return made


class Making:
    """Of containers with these labels one more is made by compose. Which were there before is kept
    in a file meanwhile: so what compose created for a call that did not live to its end is known
    from what a person created."""

    def __init__(self, engine: Engine, labels: Sequence[str]) -> None:
        folder = "/run" if os.access("/run", os.W_OK) else tempfile.gettempdir()
        name = hashlib.sha256("\n".join(sorted(labels)).encode()).hexdigest()[:16]
        self._engine, self._labels = engine, labels
        self._path = os.path.join(folder, f"gapless-making-{os.getuid()}-{name}.json")

    def begin(self) -> list[dict[str, Any]]:
        """All that are there, without what is left of such a call."""
        found, before = self._engine.labelled(self._labels), self._before()
        left = [one for one in found if is_template(one) and one["Id"] not in before]
        for one in left if before else ():
            self._engine.ask("DELETE", f"/containers/{one['Id']}?v=1")
            found.remove(one)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with open(os.open(self._path, flags, 0o600), "w") as file:
            json.dump(["", *(one["Id"] for one in found)], file)
        return found

    def _before(self) -> list[str]:
        """Empty where no call was cut off. What somebody else has put there says nothing."""
        try:
            with open(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)) as file:
                ours = os.fstat(file.fileno()).st_uid == os.getuid()
                known: list[str] = json.load(file) if ours else []
        except (OSError, ValueError):
            return []
        return known

    def done(self) -> None:
        """Nothing is half made any more."""
        os.unlink(self._path)


def refuse_unstarted(there: Sequence[dict[str, Any]]) -> None:
    """compose starts all that there are."""
    names = ", ".join(one["Name"].lstrip("/") for one in there if is_template(one))
    if names:
        raise Refused(f"compose would start {names} as well: start or remove what was only created")


def order(argv: Sequence[str]) -> None:
    """A command whose own words are told when it fails; who asked bounds its time."""
    import subprocess

    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def label(
    engine: Engine, labels: Sequence[str], more: dict[str, str], there: Sequence[dict[str, Any]]
) -> str:
    """Of the containers with ``labels`` the one that was not ``there`` before compose created
    it."""
    before = {one["Id"] for one in there}
    found = engine.labelled(labels)
    fresh = [one for one in found if is_template(one) and one["Id"] not in before]
    if not fresh:
        raise Refused("compose made no new container")
    body = body_of(fresh[0])
    renumber(body, [one for one in found if one not in fresh])
    return instead(engine, fresh, body, more)


def instead(
    engine: Engine, templates: Sequence[dict[str, Any]], body: dict[str, Any], more: dict[str, str]
) -> str:
    """A container in the place of what somebody else created for us."""
    for one in templates:
        engine.ask("DELETE", f"/containers/{one['Id']}?v=1")
    return make(engine, body, more)


def renumber(body: dict[str, Any], others: Sequence[dict[str, Any]]) -> None:
    """Its number and name are the first that are free, as long as rollouts go on."""
    labels = body["config"]["Labels"]
    used = {one["Config"]["Labels"][NUMBER] for one in others}
    number = next(str(n) for n in range(1, len(used) + 2) if str(n) not in used)
    body["name"] = re.sub(re.escape(labels[NUMBER]) + "$", number, body["name"])
    labels[NUMBER] = number


def is_template(one: dict[str, Any]) -> bool:
    """Whether compose created it, for us or for a person, and nobody started it."""
    return one["State"]["Status"] == "created" and not one["Config"]["Labels"].get(OWN + "slot")


def keep(engine: Engine, identity: str, path: str, *perhaps: str) -> None:
    """The file may hold secrets: nobody else reads it. It names the image as it is now.
    ``perhaps``: what compose may have copied into it, where nobody wrote that down."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    if one is None:
        raise Refused("there is no container " + identity)
    body = body_of(one)
    body["config"]["Labels"].setdefault(OWN + "image", body["config"]["Image"])
    body["config"]["Image"] = one["Image"]
    body["files"] = copied_into(engine, one, perhaps)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def copied_into(engine: Engine, one: dict[str, Any], perhaps: Sequence[str]) -> list[str]:
    """The files that compose copied into a container, each as an archive in base64. One that we
    know of and that is not there any more could not be brought back."""
    labels = one["Config"]["Labels"] or {}
    known = OWN + "slot" in labels
    paths = json.loads(labels.get(COPIED) or "[]") if known else guessed(engine, one, perhaps)
    found = []
    for path in paths:
        archive = engine.pack(one["Id"], path)
        if archive is not None:
            found.append(base64.b64encode(below(os.path.dirname(path), archive)).decode())
        elif known:
            gone = f"{path}, which compose copied into it, is not in it any more"
            raise Refused(f"{one['Name'].lstrip('/')}: {gone}")
    return found


def guessed(engine: Engine, one: dict[str, Any], perhaps: Sequence[str]) -> list[str]:
    """Of a container that somebody else made: these, and what was added where secrets are; what is
    mounted comes back as a mount."""
    if not perhaps and PREFIX + "service" not in (one["Config"]["Labels"] or {}):
        return []
    changes = engine.ask("GET", f"/containers/{one['Id']}/changes") or []
    added = {change["Path"] for change in changes if change["Kind"] == ADDED}
    leaves = {path for path in added if not any(other.startswith(path + "/") for other in added)}
    inside = {path for path in leaves if path.startswith(SECRETS + "/")}
    return sorted({*perhaps, *inside} - {mount["Destination"] for mount in one["Mounts"]})


ADDED = 1
"""What the engine calls a change of that kind."""


def below(folder: str, archive: bytes) -> bytes:
    """The same archive for the root folder: a new container may have no such folder yet."""
    import tarfile

    given, packed = io.BytesIO(archive), io.BytesIO()
    with tarfile.open(fileobj=given) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for entry in old:
            entry.name = os.path.join(folder.lstrip("/"), entry.name)
            new.addfile(entry, old.extractfile(entry) if entry.isfile() else None)
    return packed.getvalue()


def create(
    engine: Engine, name: str, labels: dict[str, str], docker: Sequence[str], words: Sequence[str]
) -> str:
    """Have docker create a container, make it anew as all others are made, and start it; what an
    earlier call left half made goes."""
    there = engine.ask("GET", f"/containers/{name}/json")
    if there and there["State"]["Status"] == "created" and belongs(there, labels):
        engine.ask("DELETE", f"/containers/{there['Id']}?v=1")
    given = (word for label, value in labels.items() for word in ("--label", f"{label}={value}"))
    order([*docker, "--name", name, *given, *words])
    fresh = engine.ask("GET", f"/containers/{name}/json")
    if fresh is None:
        raise Refused(f"docker made no container {name}")
    made = instead(engine, [fresh], body_of(fresh), labels)
    engine.ask("POST", f"/containers/{made}/start")
    return name


def belongs(one: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether it is of the service that the labels are of."""
    has = one["Config"]["Labels"] or {}
    return all(has.get(OWN + key) == labels[OWN + key] for key in ("project", "service"))


def again(engine: Engine, path: str, labels: dict[str, str], name: str = "") -> str:
    """Make it and start it; without a ``name`` its own may be another container's by now."""
    with open(path) as file:
        body = json.load(file)
    if name:
        return remade(engine, {**body, "name": name}, labels)
    own = body["config"]["Labels"]
    same = [f"{PREFIX}{name}={own[PREFIX + name]}" for name in ("project", "service", "oneoff")]
    with alone(same):
        others = engine.labelled(same)
        if own[NUMBER] in (one["Config"]["Labels"][NUMBER] for one in others):
            renumber(body, others)
        return remade(engine, body, labels)


def remade(engine: Engine, body: dict[str, Any], labels: dict[str, str]) -> str:
    """Made from what was kept, with the files that were copied into it, and started."""
    made = make(engine, body, labels)
    for archive in body.get("files") or ():
        engine.unpack(made, base64.b64decode(archive))
    engine.ask("POST", f"/containers/{made}/start")
    return made


def hook(name: str, limit: float, argv: Sequence[str]) -> str:
    """How a command ended that did not end well, with its last word."""
    import subprocess

    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"note: {name} did not end within {limit:g} s and is not waited for"
    if not done.returncode:
        return ""
    said = done.stdout.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
    return f"note: {name} ended with status {done.returncode}: {last}"


def end(engine: Engine, identity: str, grace: float) -> str:
    """Stop it and remove it; nothing starts it anew meanwhile. What does not heed its signal is
    killed by the engine, and that is told."""
    before = engine.ask("GET", f"/containers/{identity}/json")
    if before is None:
        return "there is no container " + identity
    if not before["HostConfig"].get("AutoRemove"):
        with contextlib.suppress(Refused):  # a full disk: to stop and to remove needs none
            engine.ask("POST", f"/containers/{identity}/update", NEVER)
    grace, began = round(grace), time.monotonic()
    engine.ask("POST", f"/containers/{identity}/stop?t={grace}", patience=grace)
    late = before["State"]["Running"] and time.monotonic() - began >= grace
    after = engine.ask("GET", f"/containers/{identity}/json") if late else None
    killed = after is not None and after["State"]["ExitCode"] == KILLED
    remove(engine, identity)
    forget(before)
    name = before["Name"].lstrip("/")
    return f"note: {name} did not end within {grace:g} s and was killed" if killed else ""


def remove(engine: Engine, identity: str) -> None:
    """Until it is gone: the engine may be about to, by itself."""
    until = time.monotonic() + LIMIT
    while True:
        try:
            engine.ask("DELETE", f"/containers/{identity}?force=1")
            return
        except Refused as error:
            if "in progress" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(BREATH)


def disarm(engine: Engine, identity: str) -> str:
    """What it was to do when it ends is kept in the folder that it shares with the other copy."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    policy = one["HostConfig"]["RestartPolicy"] if one else {}
    if one is None or one["HostConfig"].get("AutoRemove") or policy["Name"] in ("", "no"):
        return "nobody starts it again"
    path = kept_policy(one)
    fd, fresh = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".restart-")
    with open(fd, "w") as file:
        json.dump(policy, file)
    os.replace(fresh, path)
    engine.ask("POST", f"/containers/{identity}/update", NEVER)
    return "restart: no"


def rearm(engine: Engine, identity: str) -> str:
    """As it was, where it is another now. The program may write in that folder: what it says is
    taken for a policy and no more."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    if one is None:
        return "there is no container " + identity
    try:
        with open(kept_policy(one)) as file:
            kept = json.load(file)
        name, most = kept["Name"], int(kept.get("MaximumRetryCount") or 0)
    except FileNotFoundError:
        return "as it was"
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{kept_policy(one)} says nothing of a restart policy") from None
    if name not in ("always", "unless-stopped", "on-failure"):
        raise Refused(f"{kept_policy(one)} says nothing of a restart policy")
    policy = {"RestartPolicy": {"Name": name, "MaximumRetryCount": most}}
    engine.ask("POST", f"/containers/{identity}/update", policy)
    forget(one)
    return f"restart: {name}"


def kept_policy(one: dict[str, Any]) -> str:
    """A file in the folder that a copy shares with the other one, as this host has it."""
    mark = "HANDOVER_DIR="
    inside = [word[len(mark) :] for word in one["Config"]["Env"] or () if word.startswith(mark)]
    here = [mount["Source"] for mount in one["Mounts"] if mount["Destination"] in inside]
    if not here:
        raise Refused(one["Name"].lstrip("/") + " has no folder of this host at HANDOVER_DIR")
    return os.path.join(here[0], f".restart-{one['Id'][:12]}.json")


def forget(one: dict[str, Any]) -> None:
    """Leave no file about it; one that never handed over has none."""
    with contextlib.suppress(Refused, OSError):
        os.unlink(kept_policy(one))


def account(engine: Engine, identity: str) -> str:
    """The image's own where nobody said."""
    one = engine.ask("GET", f"/containers/{identity}/json")
    return str(one["Config"].get("User") or "") if one else ""


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is before and after the two dashes."""
    at = words.index("--")
    return words[:at], words[at + 1 :]


def labels_of(words: Sequence[str]) -> dict[str, str]:
    """From NAME=VALUE; who asked is in our own environment."""
    named = dict(word.split("=", 1) for word in words)
    rollout = os.environ.get("GAPLESS_ROLLOUT")
    return {**named, OWN + "rollout": rollout} if rollout else named


ORDERS = {"disarm": disarm, "rearm": rearm, "account": account}


def main(verb: str, path: str, *words: str) -> None:
    """One question or order."""
    engine = Engine(path)
    if verb == "project":
        before, compose = split(list(words))
        print(json.dumps(project(before[0], before[1:], compose)))
    elif verb == "keep":
        keep(engine, *words)
    elif verb == "make":
        before, after = split(list(words))
        own, compose = split(after)
        print(make_one_more(engine, before[1:], labels_of(own), compose, before[0]))
    elif verb == "hook":
        print(hook(words[0], float(words[1]), words[3:]))
    elif verb == "end":
        print(end(engine, words[0], float(words[1])))
    elif verb in ORDERS:
        print(ORDERS[verb](engine, *words))
    elif verb == "again":
        before, after = split(list(words))
        print(again(engine, before[0], labels_of(after), *before[1:]))
    elif verb == "create":
        before, after = split(list(words))
        docker, rest = split(after)
        print(create(engine, before[0], labels_of(before[1:]), docker, rest))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Refused, OSError) as error:
        sys.exit(str(error) or type(error).__name__)
