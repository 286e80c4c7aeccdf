"""Lines are wrapped; commands, which are to be copied, are not."""

from __future__ import annotations

import pytest

from gapless.render.layout import labelled, wrap


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "gapless resume rt85s2m-493a   or   gapless abort rt85s2m-493a",
            ["gapless resume rt85s2m-493a", "or", "gapless abort rt85s2m-493a"],
        ),
        (
            "gapless status api; then gapless rollback rt85s2m-493a or gapless deploy api",
            ["gapless status api; then", "gapless rollback rt85s2m-493a", "or gapless deploy api"],
        ),
        (
            "on web1: gapless lock break api --reason 'x or y' --yes, then look",
            ["on web1:", "gapless lock break api --reason 'x or y' --yes,", "then look"],
        ),
        (
            'gapless doctor --hosts a,b   or   gapless deploy --hosts a,b --force --reason "..."',
            [
                "gapless doctor --hosts a,b",
                "or",
                'gapless deploy --hosts a,b --force --reason "..."',
            ],
        ),
        (
            "or: docker --host unix:///s rm --force $(docker --host unix:///s ps --quiet --all)",
            [
                "or:",
                "docker --host unix:///s rm --force $(docker --host unix:///s ps --quiet --all)",
            ],
        ),
        (
            "cd /srv/shop && docker compose config --quiet on app1   or   mend it",
            ["cd /srv/shop && docker compose config --quiet", "on app1   or   mend it"],
        ),
        ("go on (gapless events has them)", ["go on", "(gapless events has them)"]),
        (
            "read gapless.yaml and mend what is wrong",
            ["read gapless.yaml and mend", "what is wrong"],
        ),
    ],
)
def test_commands_stay_whole(text: str, lines: list[str]) -> None:
    assert wrap(text, 30) == lines


def test_a_command_is_told_as_it_is_typed() -> None:
    text = "\n".join(labelled("next", "gapless doctor --hosts web1,web2; then again", 20))
    assert "gapless doctor --hosts web1,web2" in text
    assert "\N{NO-BREAK SPACE}" not in text
