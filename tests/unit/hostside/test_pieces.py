from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from gapless.hostside import files, wire
from gapless.hostside.action_files import ActionFiles, prune
from gapless.hostside.boot import Modules
from gapless.hostside.output import Output
from gapless.hostside.store import Store, file_name


def test_messages_come_back_whole_or_not_at_all() -> None:
    data = wire.encode({"id": 1, "text": "ü\n"})
    assert wire.read(io.BytesIO(data + b"more")) == {"id": 1, "text": "ü\n"}
    for cut in range(len(data)):
        assert wire.read(io.BytesIO(data[:cut])) is None
    with pytest.raises(ValueError, match="none of ours"):
        wire.read(io.BytesIO(b"HTTP/1.1 200 OK"))


@pytest.mark.parametrize("limit", [2, 10, 100])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_output_keeps_both_ends(limit: int, step: int) -> None:
    data = bytes(ord("a") + index % 26 for index in range(500))
    output = Output(limit)
    for start in range(0, len(data), step):
        output.feed(data[start : start + step])
    head, missing, tail = output.text().split("\n")
    assert data.startswith(head.encode())
    assert data.endswith(tail.encode())
    assert output.dropped == 500 - limit == 500 - len(head) - len(tail)
    assert str(output.dropped) in missing


def test_output_within_the_limit_is_untouched() -> None:
    output = Output(10)
    output.feed(b"0123456789")
    assert (output.text(), output.dropped) == ("0123456789", 0)


def test_file_names_are_plain_and_apart() -> None:
    names = ["shop.api", "a/b", "a%2Fb", "..", ".", "ü", "a b", "A"]
    made = [file_name(name) for name in names]
    assert len(set(made)) == len(names)
    assert all("/" not in name and not name.startswith(".") for name in made)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError, match=str(target)):
        files.write_atomically(str(target), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_digests_of_trees_with_links_and_odd_names(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_text("x")
    os.symlink("sub/file", tree / "link")
    os.symlink("nowhere", tree / "dangling")
    Path(os.fsdecode(os.fsencode(tree) + b"/\xff")).write_text("odd")
    first = files.digest_of(str(tree))
    assert files.digest_of(str(tree)) == first
    (tree / "link").unlink()
    os.symlink("sub", tree / "link")
    assert files.digest_of(str(tree)) != first


def test_old_actions_are_forgotten_and_the_last_ones_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gapless.hostside.action_files._KEEP", 3)
    monkeypatch.setattr("gapless.hostside.action_files._KEEP_ALWAYS", 0)
    store = Store(str(tmp_path))
    store.prepare()
    for number in range(6):
        action = ActionFiles(store, f"k{number}")
        action.write_intent({"key": f"k{number}", "started": time.time() - number})
        if number != 5:
            store.write(action.outcome_paths()[0], {"completed": []})
    ancient = ActionFiles(store, "ancient")
    ancient.write_intent({"key": "ancient", "started": time.time() - 40 * 86400})
    prune(store)
    kept = {number for number in range(6) if ActionFiles(store, f"k{number}").intent()}
    assert kept == {0, 1, 2, 5}  # 5 may still be running
    assert ActionFiles(store, "ancient").intent() is None


def test_modules_are_found_in_what_was_sent() -> None:
    sources = Modules({"p": "", "p.m": "x = 1"})
    package, module = sources.find_spec("p"), sources.find_spec("p.m")
    assert package is not None
    assert package.submodule_search_locations is not None
    assert module is not None
    assert module.submodule_search_locations is None
    assert sources.find_spec("q") is None
