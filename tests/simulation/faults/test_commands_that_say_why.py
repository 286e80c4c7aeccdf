"""A service of commands: what its start command and its log say is on the screen of a failure."""

from __future__ import annotations

import pytest

from tests.simulation.faults.local import Local

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("commands-say-why")]
CTL = """\
cd "{folder}"
broken=$(cat srv/current/broken 2>/dev/null)
case $1 in
  start)
    [ -z "$broken" ] || echo "bind: address 127.0.0.1:7 in use"
    [ -z "$broken" ] || echo "store: cannot open the data folder" >&2
    [ "$broken" = refused ] && exit 3
    [ "$broken" = unhealthy ] && echo "the index is of a later version" >> log
    [ "$broken" = gone ] || date +%s%N > running ;;
  stop) rm -f running ;;
  status) cat running ;;
esac
"""


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("loud")
    made = Local(folder)
    (folder / "ctl").write_text(CTL.format(folder=folder))
    config = folder / "gapless.yaml"
    text = config.read_text()
    assert "ctl status}" in text
    config.write_text(text.replace("ctl status}", f"ctl status, log: {folder}/log}}"))
    return made


@pytest.mark.parametrize("how", ["gone", "refused", "unhealthy"])
def test_a_copy_that_does_not_start(local: Local, how: str) -> None:
    """It ends at once though the command was content; the command refuses; it is not ready."""
    local.release(health="exit 1" if how == "unhealthy" else "exit 0")
    (local.folder / "release" / "broken").write_text(how)
    before = local.live()
    told = local.deploy(code=4).screen
    assert "bind: address 127.0.0.1:7 in use" in told
    assert told.count("store: cannot open the data folder") == 1
    assert ("the index is of a later version" in told) is (how == "unhealthy")
    assert local.live() == before
