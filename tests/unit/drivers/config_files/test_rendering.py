"""Templates: what is written, what is refused and where, and what a person may see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gapless.drivers.config_files.rendering import Rendering
from gapless.errors import ConfigError

from .site import project

SECRETS = {"env:WEB_DB": "s3cr3t-of-db", "env:OTHER": "line one\nline two"}
FILE = "[{template: t, to: /etc/a}]"


def rendered(folder: Path, template: str, files: str = FILE, host: str = "web1") -> Rendering:
    """A rendering of one file, done."""
    (folder / "t").write_text(template)
    made = Rendering(project(folder, files).project, SECRETS.__getitem__)
    made.files("api", host, "r1")
    return made


def text(folder: Path, template: str) -> str:
    made = rendered(folder, template)
    made.raise_if_any()
    return made.files("api", "web1", "r1")[0].content.decode()


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("a = {{ level }}\n", "a = host\n"),
        ("{{ on }} {{ off }} {{ nothing }}", "true false null"),
        ("{{ {'b': on, 'a': nothing, 'c': 'ü'} | to_json }}", '{"a": null, "b": true, "c": "ü"}'),
        ("{{ [on, nothing] | to_nice_json(2) }}", "[\n  true,\n  null\n]"),
        ("{{ {'b': [on], 'a': nothing} | to_yaml }}", "a: null\nb:\n- true"),
        ("{{ 'a' | to_yaml }}|{{ nothing | to_yaml }}", "a|null"),
        ("{% for n in range(2) %}\n{{ n }}\n{% endfor %}\nend\n", "0\n1\nend\n"),
        ("{% if gone is defined %}a{% else %}b{% endif %}", "b"),
        ("{{ gone | default('c') }}", "c"),
        ("{{ secrets.db }} {{ secrets['db'] }}", "s3cr3t-of-db s3cr3t-of-db"),
        ("{{ '<&>' }}", "<&>"),
        ("{{ release }} {{ zone }} {{ groups | join(',') }}", "r1 a web,fast"),
    ],
)
def test_what_is_written(tmp_path: Path, template: str, written: str) -> None:
    assert text(tmp_path, template) == written


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("a\nb = {{ levle }}\n", "t:2:1: 'levle' is undefined (on web1) — did you mean 'level'?"),
        (
            "{{ ports.htps }}",
            "'htps' is undefined in this mapping (on web1) — did you mean 'https'",
        ),
        ("{{ secrets.othr }}", "'othr' is undefined in secrets (on web1) — did you mean 'other'?"),
        ("{% for x in gone %}{% endfor %}", "t:1:1: 'gone' is undefined"),
        ("{% if gone %}{% endif %}", "t:1:1: 'gone' is undefined"),
        ("a\n{% if x %}\n", "t:2:1: Unexpected end of template"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ ports.clear() }}", "access to attribute 'clear' of 'dict' object is unsafe"),
        ("{{ range(1000000) | list }}", "Range too big"),
        ("{{ 1 / 0 }}", "t:1:1: division by zero"),
        ("{{ [1] | random }}", "No filter named 'random'"),
        ("{% include '../t' %}", "../t"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
    ],
)
def test_what_is_refused(tmp_path: Path, template: str, told: str) -> None:
    problems = [str(p) for p in rendered(tmp_path, template).problems()]
    assert len(problems) == 1
    assert told in problems[0]


def test_the_place_in_a_file_that_is_included(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("x\n\n{{ gone }}\n")
    (problem,) = rendered(tmp_path, "{% include 'part' %}\n").problems()
    assert (problem.file, problem.line) == (str(tmp_path / "part"), 3)


def test_one_problem_of_many_hosts_is_told_once(tmp_path: Path) -> None:
    made = rendered(tmp_path, "{{ gone }}")
    made.files("api", "web2.shop.example", "r1")
    with pytest.raises(ConfigError) as caught:
        made.raise_if_any()
    assert [p.text for p in caught.value.problems] == ["'gone' is undefined (on web1 and 1 more)"]


def test_what_a_person_may_see(tmp_path: Path) -> None:
    template = "db={{ secrets.db }} {{ secrets.db | length }} {{ secrets.db | upper }}\n"
    (file,) = rendered(tmp_path, template).files("api", "web1", "")
    assert file.content == b"db=s3cr3t-of-db 12 S3CR3T-OF-DB\n"
    assert file.shown == "db=*** 3 ***\n"
    assert file.secret
    assert file.mode == 0o600
    assert "s3cr3t" not in repr(file)


def test_an_error_that_only_the_value_makes_does_not_show_it(tmp_path: Path) -> None:
    template = "{% if secrets.db != '***' %}{{ {}[secrets.db] }}{% endif %}"
    (problem,) = rendered(tmp_path, template).problems()
    assert "s3cr3t" not in str(problem)
    assert "'***' is undefined" in str(problem)


def test_a_secret_that_everybody_could_read_is_refused(tmp_path: Path) -> None:
    made = rendered(tmp_path, "{{ secrets.db }}", "[{template: t, to: /etc/a, mode: 0644}]")
    assert "mode 0644 lets everybody read it" in str(made.problems()[0])


def test_without_values_no_secret_is_needed(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("{{ secrets.db }}")
    made = Rendering(project(tmp_path, FILE).project)
    assert made.files("api", "web1", "")[0].content == b"***"
    made.raise_if_any()


def test_files_that_are_copied(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"\0{{ gone }}")
    (tmp_path / "k").write_bytes(b"key {{ gone }}\n")
    files = "[{file: b, to: /etc/b}, {file: k, to: /etc/k, mode: 0640}, {file: k, to: /etc/l}]"
    binary, closed, open_ = rendered(tmp_path, "", files).files("api", "web1", "")
    assert binary.content == b"\0{{ gone }}"
    assert [binary.shown, closed.shown, open_.shown] == [None, None, "key {{ gone }}\n"]
    assert [binary.mode, closed.mode] == [0o644, 0o640]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ("[{file: nope, to: /etc/a}]", "nope:1:1: No such file or directory"),
        ("[{template: nope, to: /etc/a}]", "nope:1:1: No such file or directory"),
        ("[{template: raw, to: /etc/a}]", "raw:1:1: a template must be UTF-8 text"),
        ("[{file: large, to: /etc/a}]", "a configuration file of 1,048,577 bytes"),
    ],
)
def test_files_that_cannot_be(tmp_path: Path, files: str, told: str) -> None:
    (tmp_path / "raw").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(bytes((1 << 20) + 1))
    assert told in str(rendered(tmp_path, "", files).problems()[0])


def test_jinja2_is_loaded_by_templates_only() -> None:
    program = (
        "import sys, gapless.api, gapless.status, gapless.planned; print('jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"
