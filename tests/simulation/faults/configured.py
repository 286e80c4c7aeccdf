"""The shop with configuration files: one of its own folder, one at an absolute path nobody made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gapless.engine.sqlite_journal import SqliteJournal
from gapless.testing.fake_files import Node
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import OK, Answer, failed
from tests.simulation.faults.shop import HOSTS, Shop
from tests.simulation.killing import WRITES, ControllerKilled, was_kill

APP, EXTRA = "/etc/api/app.conf", "/opt/vendor/api/extra.conf"
TEMPLATE = """\
host = {{ host }}
workers = {{ workers }}
password = {{ secrets.db }}
"""
SECRET = "tr0ub4dor&3"
OLD = b"host = by hand\nworkers = 1\n"
FILES = f"""\
    config:
      - template: app.conf.j2
        to: {APP}
        mode: 0640
        owner: api
        validate: check-conf {{file}}
      - {{file: extra.conf, to: {EXTRA}}}
    variables: {{workers: 4}}
    secrets: {{db: env:SHOP_DB}}
"""


def configure(shop: Shop) -> None:
    """Give the service its files; nothing is deployed yet."""
    shop.edit("    balancer: edge\n", f"    balancer: edge\n{FILES}")
    (shop.folder / "app.conf.j2").write_text(TEMPLATE)
    (shop.folder / "extra.conf").write_text("extra 1\n")
    shop.patch.setenv("SHOP_DB", SECRET)
    validator(shop, accept)
    for host in HOSTS:
        shop.host(host).files.write(APP, OLD, 0o604, "shop:www")


def again(shop: Shop) -> None:
    """What a new controller needs after the old one was killed."""
    shop.patch.setenv("SHOP_DB", SECRET)


async def accept(host: FakeHost) -> Answer:
    """A validator that likes everything."""
    return OK


async def refuse_web3(host: FakeHost) -> Answer:
    """One that does not, on one host; and says what it read."""
    if host.name == "web3":
        return failed(f"app.conf:3: bad password {SECRET!r}")
    return OK


def validator(shop: Shop, answer: object) -> None:
    """What ``check-conf`` says."""
    shop.program("check-conf", answer)  # type: ignore[arg-type]


def variable(shop: Shop, old: int, new: int) -> None:
    """Another number of workers."""
    shop.edit(f"workers: {old}", f"workers: {new}")


def five(shop: Shop) -> None:
    """Two more hosts, as the others were when the shop was made."""

    async def add() -> None:
        for host in ("web4", "web5"):
            shop.host(host).files.mkdir("/srv/api/releases/old")
            shop.host(host).files.link("releases/old", "/srv/api/current")
            shop.host(host).programs.update(shop.host("web1").programs)
            shop.host(host).add_unit(
                "api.service", service="api", port=8000, release_link="/srv/api/current"
            ).run_already()

    shop.do(add())


def files(shop: Shop, hosts: Iterable[str] = HOSTS) -> Mapping[str, Mapping[str, Node]]:
    """Everything in the folders of the two files, by host: content, mode, owner."""
    return {
        host: {
            path: plain(node)
            for path, node in shop.host(host).files.nodes.items()
            if path.startswith(("/etc", "/opt"))
        }
        for host in hosts
    }


def plain(node: Node) -> Node:
    """Without when it was made."""
    return Node(node.kind, node.content, node.target, node.mode, node.owner)


def wanted(host: str, workers: int) -> bytes:
    """What the template makes."""
    return f"host = {host}\nworkers = {workers}\npassword = {SECRET}\n".encode()


def contents(shop: Shop) -> list[bytes]:
    """The live file of each host."""
    return [shop.host(host).files.read(APP) for host in HOSTS]


def told(shop: Shop) -> str:
    """All that the controller keeps: journals, plans, keys."""
    found = [path.read_bytes() for path in (shop.folder / "state").rglob("*") if path.is_file()]
    return b"\n".join(found).decode("utf-8", "replace")


def kill_at_write(shop: Shop, number: int, *, committed: bool) -> list[int]:
    """The controller dies at its n-th write to the journal, before or after it is committed; the
    list says how many there were."""
    writes = [0]

    def mortal(write: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            writes[0] += 1
            if writes[0] != number:
                return write(*args, **options)
            if committed:
                write(*args, **options)
            shop.kill()
            raise ControllerKilled

        return call

    for name in WRITES:
        shop.patch.setattr(SqliteJournal, name, mortal(getattr(SqliteJournal, name)))
    return writes


def until_killed(shop: Shop, *words: str, code: int = 0) -> bool:
    """Run the command line; whether the controller was killed before its end."""
    ended = []

    def run() -> None:
        shop.gapless(*words, code=code)
        ended.append(True)

    try:
        run()
    except BaseException as error:
        if not was_kill(error):
            raise
        shop.patch.undo()
        shop._stand_in()
    return not ended
