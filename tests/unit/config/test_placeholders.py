"""Texts about keys name every placeholder that is filled in there."""

from __future__ import annotations

import re

import pytest

from docs.generators import config as page
from gapless.config.addresses import CHECK_FIELDS, COMMAND_FIELDS
from gapless.config.json_schema import json_schema
from gapless.config.placeholders import spelled
from gapless.config.project import ProjectConfig

_NAMED = re.compile(r"\{([a-z]+)\}")
LISTS = (set(CHECK_FIELDS), set(COMMAND_FIELDS))


def texts() -> list[str]:
    """Descriptions of all sections and keys, as ``gapless schema`` prints them."""
    found: list[str] = []

    def visit(value: object) -> None:
        if isinstance(value, dict):
            found.extend(v for k, v in value.items() if k == "description" and isinstance(v, str))
            for inner in value.values():
                visit(inner)

    visit(json_schema())
    return found


def test_a_list_of_placeholders_is_all_of_them() -> None:
    lists = [text for text in texts() if re.search(r"\}(``)?\s+are\s+filled\s+in", text)]
    assert len(lists) > 10
    for text in lists:
        assert any(fields <= set(_NAMED.findall(text)) for fields in LISTS), text


def test_no_token_is_left() -> None:
    assert [text for text in texts() if re.search(r"<\w+\s+fields>", text)] == []
    assert "fields>" not in page.generate()


@pytest.mark.parametrize("field", CHECK_FIELDS)
def test_the_page_tells_what_each_is(field: str) -> None:
    (row,) = re.findall(rf"^\| `\{{{field}\}}` \| (.+?) \|", page.generate(), re.MULTILINE)
    assert row


def test_health_http_names_the_address() -> None:
    table = page.section(
        next(one for one in page.sections(ProjectConfig) if one.__name__ == "HttpCheck")
    )
    (url,) = [line for line in table.splitlines() if line.startswith("| `url`")]
    assert all(f"`{{{field}}}`" in url for field in CHECK_FIELDS)


def test_a_list_reads_as_a_sentence() -> None:
    *most, last = [f"``{{{field}}}``" for field in COMMAND_FIELDS]
    told = f"{', '.join(most)} and {last} are filled in."
    assert spelled("<command\n    fields> are filled in.") == told
