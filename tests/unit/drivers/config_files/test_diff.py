"""What a person is shown of a change, and what not."""

from __future__ import annotations

import hashlib

import pytest

from gapless.drivers.config_files.base import ABSENT, FILE, LINK, LiveFile, RenderedFile, Written
from gapless.drivers.config_files.diff import HIDDEN, FileChange, change
from gapless.drivers.config_files.marks import Marks

PATH = "/etc/a"
MARKS, OTHERS = Marks(b"k" * 32), Marks(b"o" * 32)


def new(text: str, shown: str | None = None, mode: int = 0o644, owner: str = "") -> RenderedFile:
    return RenderedFile(PATH, text.encode(), shown or text, mode, owner, secret=bool(shown))


def live(content: bytes, mode: int = 0o644, owner: str = "") -> LiveFile:
    digest = hashlib.sha256(content).hexdigest()
    return LiveFile(PATH, FILE, mode, owner, digest, writer="root")


def told(wanted: RenderedFile, old: bytes, known: Written | None = None, mode: int = 0o644) -> str:
    """The lines that change."""
    found = change(wanted, live(old, mode), old, known, MARKS)
    assert found is not None
    return "|".join(line for line in found.lines if line[0] in "+-")


def test_the_same_is_no_change() -> None:
    assert change(new("a\n"), live(b"a\n"), b"a\n", None, MARKS) is None


def test_lines_of_an_open_file() -> None:
    assert told(new("a\nc\n"), b"a\nb\n") == "-b|+c"


def test_a_line_nobody_knows_of_a_file_with_secrets_is_hidden() -> None:
    wanted = new("user=u\npw=NEW\n", "user=u\npw=***\n", 0o600)
    assert told(wanted, b"user=u\npw=OLD\nx=1\n", mode=0o600) == f"-{HIDDEN}|-{HIDDEN}|+pw=***"


def test_what_gapless_wrote_last_is_shown_without_its_secrets() -> None:
    old = b"workers=1\npw=OLD\n"
    known = Written(MARKS.of_live([live(old, 0o600)]), "workers=1\npw=***\n")
    wanted = new("workers=2\npw=NEW\n", "workers=2\npw=***\n", 0o600)
    assert told(wanted, old, known, 0o600) == "-workers=1|+workers=2"


def test_a_file_that_had_secrets_hides_them_when_it_has_none_any_more() -> None:
    drifted = Written(MARKS.of_live([live(b"other\n")]), "other\n")
    assert told(new("a\n"), b"pw=OLD\n", drifted) == f"-{HIDDEN}|+a"


def test_a_file_that_not_everybody_may_read_is_shown_only_where_gapless_wrote_it() -> None:
    assert told(new("a\n", mode=0o640), b"b\n", mode=0o640) == f"-{HIDDEN}|+a"
    known = Written(MARKS.of_live([live(b"b\n", 0o640)]))
    assert told(new("a\n", mode=0o640), b"b\n", known, 0o640) == "-b|+a"


def test_a_secret_of_several_lines() -> None:
    wanted = new("a\nK1\nK2\n", "a\n***\n", 0o600)
    assert told(wanted, b"a\nK1\nOLD\n", mode=0o600) == f"-{HIDDEN}|-{HIDDEN}|+***"


@pytest.mark.parametrize(
    ("there", "old", "note"),
    [
        (LiveFile(PATH, ABSENT), None, "not there yet; undo removes it"),
        (
            LiveFile(PATH, LINK, target="b"),
            None,
            "replaces a symbolic link to b; undo puts it back",
        ),
        (live(b"a\n", 0o600), b"a\n", "mode 0600 → 0644"),
        (live(b"\0"), b"\0", "not shown: 1 → 2 bytes"),
        (live(b"b\n"), None, "what is there cannot be read, or is too large to be compared"),
    ],
)
def test_notes(there: LiveFile, old: bytes | None, note: str) -> None:
    found = change(new("a\n"), there, old, None, MARKS)
    assert found is not None
    assert note in found.notes


@pytest.mark.parametrize(
    ("there", "asked", "notes"),
    [
        ("app", "", ("owner app → root",)),
        ("app", "www", ("owner app → www",)),
        ("app:app", "app:www", ("group app → www",)),
        ("app:app", "www:www", ("owner app → www", "group app → www")),
        (":app", ":www", ("group app → www",)),
        ("app:app", ":app", ("owner app → root",)),
    ],
)
def test_an_owner_alone_is_a_change(there: str, asked: str, notes: tuple[str, ...]) -> None:
    found = change(new("a\n", owner=asked), live(b"a\n", owner=there), b"a\n", None, MARKS)
    assert found == FileChange(PATH, (), notes)
    with_mode = change(
        new("a\n", mode=0o600, owner=asked), live(b"a\n", owner=there), None, None, MARKS
    )
    assert with_mode == FileChange(PATH, (), ("mode 0644 → 0600", *notes))


def test_what_is_no_text_or_nobodys_to_read_is_told_by_its_size() -> None:
    closed = RenderedFile(PATH, b"key\n", None, 0o600)
    assert change(closed, live(b"old\n"), b"old\n", None, MARKS) == FileChange(
        PATH, (), ("mode 0644 → 0600", "not shown: 4 → 4 bytes")
    )


def test_drift_is_told_for_marks_of_this_controller_only() -> None:
    for marks, wanted in ((MARKS, True), (OTHERS, False)):
        known = Written(marks.of_live([live(b"written\n")]))
        found = change(new("a\n"), live(b"by hand\n"), b"by hand\n", known, MARKS)
        assert found is not None
        assert ("changed on the host since gapless wrote it" in found.notes) is wanted


def test_marks_do_not_give_away_what_they_mark() -> None:
    files = [live(b"password")]
    assert MARKS.of_live(files) == MARKS.of_live(files) != OTHERS.of_live(files)
    assert files[0].sha256[:8] not in MARKS.of_live(files)
    assert MARKS.knows(MARKS.of_live(files))
    assert not OTHERS.knows(MARKS.of_live(files))
    assert "kkkk" not in repr(MARKS)
