"""A rollout of more events than one page of the journal is told to its end."""

from __future__ import annotations

from pathlib import Path

from gapless import api
from gapless.config.source import load_config
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.events.event import Event
from gapless.project import Project
from gapless.testing.journal_suite import JournalSuite, event


class Suite(JournalSuite):
    """For its rollout r1."""

    def open(self, folder: Path) -> SqliteJournal:
        return SqliteJournal(folder)


def test_the_report_of_a_long_rollout_knows_its_end(tmp_path: Path) -> None:
    (tmp_path / "gapless.yaml").write_text(
        "project: shop\nhosts: {web1: {transport: local}}\n"
        "services: {api: {on: [web1], systemd: api}}\n"
    )
    journal = SqliteJournal(tmp_path / "j")
    Suite().start(journal)
    with journal._db.transaction(durable=False):
        for _ in range(10_100):
            journal._append(event("check.passed", "r1"))
    end = {"outcome": "done", "exit_code": 0}
    journal.append(Event("rollout.succeeded", rollout="r1", data=end, ts=3.0))
    project = Project(load_config(tmp_path / "gapless.yaml"), journal, tmp_path)
    assert api.report_of(project, "r1").exit_code == 0
