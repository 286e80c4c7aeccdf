"""A container is written down on its host: all of it, and for one account alone."""

from __future__ import annotations

import base64
import io
import json
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gapless.hostside.calls import Call
from gapless.hostside.faults import Cancelled, Fault
from gapless.hostside.keeping import keep

from .engine import engine

ONE = "1" * 64
COMPOSED = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}


def inspected(labels: dict[str, str]) -> dict[str, Any]:
    """Of a container of image web:1, that was an older one when it was made."""
    aliases = {"Aliases": ["web", ONE[:12], "shop-web-1"], "IPAddress": "10.0.0.2"}
    return {
        "Id": ONE,
        "Name": "/shop-web-1",
        "Image": "sha256:old",
        "Config": {
            "Image": "web:1", "Hostname": ONE[:12], "Env": ["TOKEN=hush"], "Labels": labels,
        },
        "HostConfig": {"NetworkMode": "default", "Binds": ["/srv/data:/data"]},
        "NetworkSettings": {"Networks": {"shop_default": aliases}},
        "Mounts": [{"Destination": "/run/secrets/mounted"}],
    }  # fmt: skip


def archive(name: str, content: bytes = b"hush") -> bytes:
    """As the engine packs a file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o444
        tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def has(labels: dict[str, str], *files: str, added: Sequence[str] = ()) -> dict[str, Any]:
    """An engine's answers about a container with these files that compose copied into it."""
    changes = [{"Path": path, "Kind": 1} for path in added]
    packed = {path: {"body": archive(path.rpartition("/")[2])} for path in files}
    about = f"/containers/{ONE}"
    return {
        f"{about}/json": {"body": inspected(labels)},
        f"{about}/changes": {"body": changes},
        **{f"{about}/archive?path={path}": answer for path, answer in packed.items()},
    }


def call(socket: Path, file: Path, copied: Sequence[str] = ()) -> Call:
    asked = {"container": ONE, "path": str(file), "copied": list(copied)}
    return Call(1, "keep", {"socket": str(socket), **asked, "timeout": 5.0})


def written(tmp_path: Path, answers: dict[str, Any], copied: Sequence[str] = ()) -> dict[str, Any]:
    """What is in the file then."""
    socket, file = tmp_path / "s", tmp_path / "kept" / "container.json"
    with engine(socket, answers):
        keep(call(socket, file, copied))
    kept: dict[str, Any] = json.loads(file.read_text())
    return kept


def files_of(kept: dict[str, Any]) -> dict[str, bytes]:
    """By the path at which each is unpacked in the root folder."""
    found = {}
    for packed in kept["files"]:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                found[entry.name] = content.read() if content else b""
                assert entry.mode == 0o444
    return found


def test_all_that_makes_it_again_is_there_and_nothing_that_is_of_this_one_alone(
    tmp_path: Path,
) -> None:
    kept = written(tmp_path, has({"gapless.slot": "a"}))
    assert kept["name"] == "shop-web-1"
    assert kept["config"]["Env"] == ["TOKEN=hush"]
    assert "Hostname" not in kept["config"]
    assert kept["host"] == {"NetworkMode": "shop_default", "Binds": ["/srv/data:/data"]}
    assert kept["nets"]["shop_default"]["Aliases"] == ["web"]
    assert "IPAddress" not in kept["nets"]["shop_default"]
    assert kept["files"] == []


def test_the_image_is_the_one_that_it_has_and_a_label_has_the_name(tmp_path: Path) -> None:
    config = written(tmp_path, has({"gapless.slot": "a"}))["config"]
    assert config["Image"] == "sha256:old"
    assert config["Labels"]["gapless.image"] == "web:1"
    (tmp_path / "s").unlink()
    config = written(tmp_path, has({"gapless.image": "web:0"}))["config"]
    assert config["Labels"]["gapless.image"] == "web:0", "it was made again before"


def test_nobody_else_reads_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    for _ in range(2):
        written(tmp_path, has({}))
        (tmp_path / "s").unlink()
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_we_had_compose_copy_is_what_its_label_says(tmp_path: Path) -> None:
    said = json.dumps(["/run/secrets/token", "/banner"])
    labels = {**COMPOSED, "gapless.slot": "a", "gapless.copied": said}
    answers = has(labels, "/run/secrets/token", "/banner", "/other", added=["/other"])
    kept = written(tmp_path, answers, copied=["/other"])
    assert files_of(kept) == {"run/secrets/token": b"hush", "banner": b"hush"}


def test_what_compose_copied_alone_is_what_may_be_and_what_was_added_to_its_secrets(
    tmp_path: Path,
) -> None:
    """But for what is mounted there, and what has gone."""
    secrets = "/run/secrets"
    added = [secrets, f"{secrets}/token", f"{secrets}/mounted", "/tmp/log"]
    there = ("/banner", f"{secrets}/token", f"{secrets}/mounted", "/tmp/log")
    kept = written(tmp_path, has(COMPOSED, *there, added=added), copied=["/banner", "/gone"])
    assert files_of(kept) == {"banner": b"hush", "run/secrets/token": b"hush"}


def test_what_could_not_be_brought_back_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    labels = {"gapless.slot": "a", "gapless.copied": '["/run/secrets/token"]'}
    with pytest.raises(Fault, match=r"shop-web-1: /run/secrets/token, .* is not in it any more"):
        written(tmp_path, has(labels))
    assert not (tmp_path / "kept").exists()


def test_a_container_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=f"there is no container {ONE}"):
        written(tmp_path, {})


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "container.json"
    with pytest.raises(Fault, match=f"no answer of the engine at {tmp_path}/none: No such file"):
        keep(call(tmp_path / "none", file))
    assert not file.parent.exists()


def test_a_file_that_cannot_be_written_is_named_and_nothing_of_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(Fault, match=f"cannot write: {tmp_path}/kept") as caught:
        written(tmp_path, has({}))
    assert "hush" not in json.dumps(caught.value.to_json())


def test_nothing_is_written_when_nobody_wants_it_any_more(tmp_path: Path) -> None:
    socket, file = tmp_path / "s", tmp_path / "kept" / "container.json"
    asked = call(socket, file)
    asked.cancelled.set()
    with engine(socket, has({})), pytest.raises(Cancelled):
        keep(asked)
    assert not file.parent.exists()
