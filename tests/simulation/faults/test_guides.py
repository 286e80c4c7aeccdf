"""The pages for those who come from elsewhere work as they stand, from check to rollback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.faults.guide import Guide
from tests.unit.docs.pages import Block, blocks

pytestmark = pytest.mark.real


def _block(page: str) -> Block:
    """The gapless.yaml of a page."""
    found = [b for b in blocks("yaml") if b.page.name == page and "project:" in b.text]
    return found[0]


@pytest.fixture
def guide(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Guide:
    return Guide(tmp_path, monkeypatch, capsys, _block(request.param))


@pytest.mark.parametrize(
    ("guide", "service", "waits"),
    [
        ("restbase.md", "restbase", True),
        ("from-scap.md", "shop", True),
        ("from-ansible.md", "shop", False),
        ("from-kamal.md", "shop", False),
    ],
    indirect=["guide"],
)
def test_a_page_is_followed_from_check_to_rollback(guide: Guide, service: str, waits: bool) -> None:
    guide.gapless("check", code=0)
    plan = guide.gapless("plan", "deploy", code=0)
    assert service in plan.text
    _deploy(guide, waits=waits)
    first = set(guide.versions(service).values())
    assert len(first) == 1
    assert "old" not in first
    guide.change()
    _deploy(guide, waits=waits)
    assert set(guide.versions(service).values()).isdisjoint({"old", *first})
    guide.gapless("rollback", service, "--yes", code=0)
    assert set(guide.versions(service).values()) == first
    assert guide.lost == []


def _deploy(guide: Guide, *, waits: bool) -> None:
    """Where a group waits for a person, one says go."""
    guide.gapless("deploy", "--yes", code=7 if waits else 0)
    if waits:
        guide.gapless("promote", code=0)
