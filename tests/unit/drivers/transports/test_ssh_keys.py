"""The key of a configuration, as it is given to SSH."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gapless.config.hosts import HostConfig
from gapless.drivers.transports.ssh_connection import Connector


def given(key: str) -> dict[str, object]:
    return Connector("web1", HostConfig(key=key), None)._keys()


def test_the_agent_is_asked_for_the_key_beside_which_the_public_one_lies(tmp_path: Path) -> None:
    key, public = tmp_path / "key", tmp_path / "key.pub"
    assert given(str(key)) == {"client_keys": [str(key)], "agent_path": None}
    public.touch()
    assert given(str(key)) == {
        "client_keys": [str(key)],
        "ignore_encrypted": True,
        "agent_identities": [str(public)],
    }


def test_a_key_in_the_home_of_nobody_is_a_file_that_is_not_there() -> None:
    assert given("~no-such-user/key")["client_keys"] == ["~no-such-user/key"]


def test_a_key_where_nobody_may_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", refused)
    assert given("/root/key")["agent_path"] is None
