"""The diff of a rollback is that of its deploy, the other way round."""

from __future__ import annotations

from gapless.files_back import files_back

CHANGE = {
    "file": "/etc/app",
    "hosts": ["web1", "web2"],
    "lines": ["@@ -1,3 +1,4 @@", " same", "-old", "+new", "+newer", " end"],
    "notes": ["mode 0604 → 0640", "owner shop → api", "changed on the host since gapless wrote it"],
}


def test_added_is_taken_away() -> None:
    (back,) = files_back([CHANGE], {"web2"})
    assert back["hosts"] == ["web2"]
    assert back["lines"] == ["@@ -1,4 +1,3 @@", " same", "-new", "-newer", "+old", " end"]
    assert back["notes"] == ["mode 0640 → 0604", "owner api → shop"]


def test_what_was_not_there_is_removed() -> None:
    new = {**CHANGE, "lines": ["@@ -0,0 +1 @@", "+x"], "notes": ["not there yet; undo removes it"]}
    (back,) = files_back([new], {"web1"})
    assert back["lines"] == ["@@ -1 +0,0 @@", "-x"]
    assert back["notes"] == ["removed, as it was not there before"]


def test_sizes_and_links_go_back_too() -> None:
    notes = ["not text: 1,024 → 7 bytes", "replaces a symbolic link to /a; undo puts it back"]
    (back,) = files_back([{**CHANGE, "lines": [], "notes": notes}], {"web1"})
    assert back["notes"] == ["not text: 7 → 1,024 bytes", "the symbolic link is put back"]


def test_hosts_that_stay_are_not_told() -> None:
    assert files_back([CHANGE], {"web9"}) == ()
