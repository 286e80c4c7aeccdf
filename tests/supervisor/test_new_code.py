"""Our own code, when it is missing, wrong, or new in the middle of something."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from gapless.supervisor import rundir
from gapless.supervisor.spec import Stop
from tests.supervisor.installed import born, installed, renewed
from tests.supervisor.rig import Rig, until

Web = Callable[..., Rig]

SOON = 6.0


def test_our_code_is_gone_for_a_moment(web: Web, tmp_path: Path) -> None:
    """An upgrade takes it away before it puts the new one there."""
    rig = web()
    folder = installed(rig, tmp_path)
    rig.start()
    folder.rename(tmp_path / "away")
    rig.publish("2")
    assert rig.flip()["ok"]
    assert rig.version() == "2"


def test_new_code_that_cannot_go_on_from_the_state_is_left_out(web: Web, tmp_path: Path) -> None:
    rig = web()
    folder = installed(rig, tmp_path)
    rig.start()
    file = folder / "supervisor.py"
    wanted = 'self.since = state["since"]'
    assert wanted in file.read_text()
    file.write_text(file.read_text().replace(wanted, 'self.since = state["not told"]'))
    assert rig.flip()["ok"]
    assert not born(rig)


def test_a_request_half_sent_lives_through_new_code(web: Web, tmp_path: Path) -> None:
    rig = web()
    folder = installed(rig, tmp_path)
    rig.start()
    with rundir.connect("web") as slow:
        slow.sendall(b'{"verb": ')
        renewed(folder)
        assert rig.flip()["ok"]
        assert born(rig)
        slow.settimeout(SOON)
        slow.sendall(b'"status"}\n')
        assert json.loads(slow.recv(65536))["pid"] == rig.pid


def test_what_is_known_of_flips_lives_through_new_code(web: Web, tmp_path: Path) -> None:
    """What came of the last one, which copy was killed, and whose settings there are to go back
    to: the last two are of flips before."""
    rig = web(stop=Stop(timeout=0.3))
    folder = installed(rig, tmp_path)
    rig.publish("1", "ignores-term")
    rig.start()
    rig.publish("2")
    assert rig.flip()["ok"]
    until(lambda: rig.serves()["late"])
    before = rig.serves()
    renewed(folder)
    rig.publish("3", "import-error")
    told = rig.flip()
    assert told["code"] == 4
    assert born(rig)
    after = rig.serves()
    assert [after[key] for key in ("late", "rollback_to")] == [before["late"], 1]
    assert rig.ask("wait").reply() == told
