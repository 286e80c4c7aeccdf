"""The catalogue of what speaks against stopping a member of a cluster is that of the code.

1. Every ``Finding(…)`` of the gates and of the drivers is read from the source. Its code is a text,
   one of two, a constant, what a function is called with, or the ``code`` of a record; what cannot
   be read so fails.
2. ``absolute`` is always, never, or what the finding's own condition says.
3. The page has those and no others, each row says the same of ``--force``, and names a test in
   which that code stands.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from .pages import ROOT

PAGE = ROOT / "docs" / "reference" / "cluster-findings.md"
SOURCE = ROOT / "src" / "gapless"
CLUSTERS = "drivers/clusters/"
ORIGINS: dict[str, tuple[str, ...]] = {
    "Every cluster": ("clusters/gates.py", "clusters/clocks.py", "engine/members.py"),
    "etcd": (f"{CLUSTERS}etcd*.py",),
    "Redis with Sentinel": (f"{CLUSTERS}redis_sentinel*.py", f"{CLUSTERS}redis_findings.py"),
    "Redis Cluster": (f"{CLUSTERS}redis_cluster*.py", f"{CLUSTERS}redis_findings.py"),
    "PostgreSQL under Patroni": (f"{CLUSTERS}patroni*.py",),
    "NATS with JetStream": (f"{CLUSTERS}nats*.py",),
    "RabbitMQ": (f"{CLUSTERS}rabbitmq*.py",),
    "ZooKeeper": (f"{CLUSTERS}zookeeper*.py",),
    "Kafka": (f"{CLUSTERS}kafka*.py",),
    "Chronik, and anything that tells over HTTP": (f"{CLUSTERS}http*.py",),
    "A command of yours": (f"{CLUSTERS}command*.py",),
}
"""By heading of the page the files whose findings are below it."""
YOURS = (f"{CLUSTERS}command_view.py", "code.text()")
"""The one place where a code is not gapless's own: what a command printed."""
FEWEST = 25
FORCED = {
    frozenset({False}): re.compile("with a reason"),
    frozenset({True}): re.compile("never"),
    frozenset({False, True}): re.compile("never where .+; else with a reason"),
}
"""By what ``absolute`` may be, what the page says of ``--force``."""
NEVER = {"quorum-lost", "redis-unpersisted-master"}
_CODE = re.compile(r"[a-z]+(-[a-z]+)*")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


class Codes:
    """Of one origin: by code whether it is absolute; both where that depends."""

    def __init__(self, origin: str) -> None:
        self.files = [file for glob in ORIGINS[origin] for file in sorted(SOURCE.glob(glob))]
        self.found: dict[str, set[bool]] = {}
        for file in self.files:
            for call in _calls(_tree(file), "Finding") if _has_findings(file) else ():
                for code, absolute in self._of(file, call):
                    self.found.setdefault(code, set()).update(absolute)

    def _of(self, file: Path, call: ast.Call) -> Iterator[tuple[str, set[bool]]]:
        code, absolute = _given(call, 0, "code"), _given(call, 5, "absolute")
        assert code is not None
        if (file.relative_to(SOURCE).as_posix(), ast.unparse(code)) == YOURS:
            return
        if isinstance(code, ast.IfExp) and absolute and _same(code.test, absolute):
            yield from ((one, {True}) for one in self._texts(file, code.body))
            yield from ((one, {False}) for one in self._texts(file, code.orelse))
            return
        for one in self._texts(file, code):
            yield one, _truths(absolute)

    def _texts(self, file: Path, node: ast.expr | None) -> Iterator[str]:
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.IfExp():
                yield from self._texts(file, node.body)
                yield from self._texts(file, node.orelse)
            case ast.Name():
                yield from self._named(file, node)
            case ast.Attribute(attr="code"):
                yield from self._recorded()
            case _:
                where = f"{file.name}:{getattr(node, 'lineno', '?')}"
                pytest.fail(f"{where}: a code has to be a text that never changes")

    def _named(self, file: Path, name: ast.Name) -> Iterator[str]:
        """What a constant of the module is, or what the function around is called with."""
        if (value := _constants(_tree(file)).get(name.id)) is not None:
            yield from self._texts(file, value)
            return
        around = _around(_tree(file), name)
        place = [one.arg for one in around.args.args].index(name.id)
        for call in _calls(_tree(file), around.name):
            yield from self._texts(file, _given(call, place, name.id))

    def _recorded(self) -> Iterator[str]:
        """What every record of this origin that has a field ``code`` is made with."""
        for file in self.files:
            for record in (one for one in _tree(file).body if isinstance(one, ast.ClassDef)):
                fields = [one for one in record.body if isinstance(one, ast.AnnAssign)]
                names = [ast.unparse(one.target) for one in fields]
                if "code" not in names:
                    continue
                place = names.index("code")
                default = fields[place].value
                yield from self._texts(file, default) if default is not None else ()
                for other in self.files:
                    for call in _calls(_tree(other), record.name):
                        if (given := _given(call, place, "code")) is not None:
                            yield from self._texts(other, given)


def _has_findings(file: Path) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "gapless.clusters.finding"
        and any((alias.asname or alias.name) == "Finding" for alias in node.names)
        for node in ast.walk(_tree(file))
    )


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def _given(call: ast.Call, place: int, name: str) -> ast.expr | None:
    named = next((one.value for one in call.keywords if one.arg == name), None)
    return call.args[place] if place < len(call.args) else named


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)


def _truths(absolute: ast.expr | None) -> set[bool]:
    if absolute is None:
        return {False}
    return {bool(absolute.value)} if isinstance(absolute, ast.Constant) else {False, True}


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    names = [ast.unparse(one) for one in target.elts]
                    found.update(zip(names, node.value.elts, strict=True))
                else:
                    found[ast.unparse(target)] = node.value
    return found


def _around(tree: ast.Module, name: ast.Name) -> ast.FunctionDef:
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return next(one for one in functions if any(node is name for node in ast.walk(one)))


@cache
def _codes(origin: str) -> Mapping[str, set[bool]]:
    return Codes(origin).found


@cache
def _rows(origin: str) -> list[list[str]]:
    """Code, when, force, remedy and test of every row below a heading."""
    section = PAGE.read_text("utf-8").split(f"\n## {origin}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_file_with_findings_is_of_an_origin() -> None:
    known = {file for globs in ORIGINS.values() for glob in globs for file in SOURCE.glob(glob)}
    files = [file for file in SOURCE.rglob("*.py") if "testing" not in file.parts]
    making = {one for one in files if _has_findings(one) and any(_calls(_tree(one), "Finding"))}
    assert making and making - known == set(), "give them a heading in ORIGINS and on the page"


def test_the_page_has_those_headings() -> None:
    assert re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE) == list(ORIGINS)


@pytest.mark.parametrize("origin", ORIGINS)
def test_the_page_has_the_codes_of_the_source(origin: str) -> None:
    written = [row[0].strip("`") for row in _rows(origin)]
    assert sorted(written) == sorted(_codes(origin)), f"the rows of {origin}"
    assert [code for code in written if not _CODE.fullmatch(code)] == []


@pytest.mark.parametrize("origin", ORIGINS)
def test_each_row_says_when_what_to_do_and_the_truth_of_force(origin: str) -> None:
    for code, when, force, remedy, _ in _rows(origin):
        absolute = frozenset(_codes(origin)[code.strip("`")])
        assert when and remedy, f"{origin} {code}"
        assert FORCED[absolute].fullmatch(force), f"{origin} {code}: {force}"


def test_each_row_names_a_test_in_which_its_code_stands() -> None:
    for code, *_, test in (row for origin in ORIGINS for row in _rows(origin)):
        code = code.strip("`")
        named = _TEST.fullmatch(test)
        assert named, f"{code}: {test}"
        text = _function(ROOT / named[1], named[2])
        assert f'"{code}"' in text or code.replace("-", "_") in text, f"{code}: {test}"


def test_there_are_enough_and_two_that_no_reason_goes_past() -> None:
    every = {code for origin in ORIGINS for code in _codes(origin)}
    assert len(every) >= FEWEST
    forced = {code for origin in ORIGINS for code in NEVER if False in _codes(origin).get(code, ())}
    assert every >= NEVER and not forced


def test_a_code_that_is_worked_out_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this reads is not passed over."""
    text = "from gapless.clusters.finding import Finding\n"
    (tmp_path / "odd.py").write_text(f'{text}Finding(f"x-{{1}}", "here", "what")\n')
    monkeypatch.setattr(f"{__name__}.SOURCE", tmp_path)
    monkeypatch.setitem(ORIGINS, "Odd", ("odd.py",))
    with pytest.raises(pytest.fail.Exception, match=r"odd\.py:2: a code has to be a text"):
        Codes("Odd")


def _function(file: Path, name: str) -> str:
    """With its decorators."""
    defined = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(_tree(file)) if isinstance(node, defined))
    found = next(node for node in nodes if node.name == name)
    first = min(one.lineno for one in (found, *found.decorator_list))
    return "\n".join(file.read_text("utf-8").splitlines()[first - 1 : found.end_lineno])
