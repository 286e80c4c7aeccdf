"""From templates, variables and secrets to the files of one instance.

1. Every template is rendered twice: with ``***`` in the place of each secret, and with the values.
   The first is what a person may see, whatever filters made of a secret; an error in it cannot hold
   a value. The second goes to the host and nowhere else.
2. A file that is copied as it stands is shown only where everybody on the host may read it.
3. Problems are collected: one that is the same on many hosts is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gapless.config.project import ProjectConfig
from gapless.config.template_names import names_for, references_for
from gapless.config.templates import CLOSED, OPEN, ConfigFileConfig
from gapless.drivers.config_files.asked import NotRendered, SecretNames
from gapless.drivers.config_files.base import LIMIT, RenderedFile
from gapless.drivers.secret_forms import secret_forms
from gapless.errors import ConfigError, Problem
from gapless.hostside.veil import veil

if TYPE_CHECKING:
    from gapless.drivers.config_files.template import LoadedTemplate

STARS = "***"
_OTHERS = 0o004

Values = Callable[[str], str]
"""The value of a secret by its reference."""
Written = Callable[[Sequence[str | int], str, str], Problem]
"""A problem with what gapless.yaml says: path of the value, text, hint."""


class Rendering:
    """The files of a project; each template is read once. ``values`` None: no secret is read, and
    the files are fit for checking only. ``written`` tells where gapless.yaml says what is wrong;
    None: a rollout, whose plan was made from what the file said then."""

    def __init__(
        self,
        project: ProjectConfig,
        values: Values | None = None,
        written: Written | None = None,
    ) -> None:
        self._project = project
        self._values = values
        self._written = written
        self._templates: dict[str, LoadedTemplate] = {}
        self._copied: dict[str, bytes] = {}
        self._problems: dict[Problem, dict[str, None]] = {}

    def files(self, service: str, host: str, release: str) -> tuple[RenderedFile, ...]:
        """Of one instance, without those that cannot be rendered: see ``raise_if_any``."""
        found = []
        for index, config in enumerate(self._project.services[service].config):
            try:
                found.append(self._file(config, service, host, release))
            except NotRendered as error:
                problem = self._placed(error, ("services", service, "config", index))
                self._problems.setdefault(problem, {})[host] = None
        return tuple(found)

    def _placed(self, error: NotRendered, entry: tuple[str | int, ...]) -> Problem:
        """Where a person mends it: in the template, or at the key of its entry."""
        found = error.problem
        if not error.key or self._written is None:
            return found
        text = f"{error.key}: {found.file}: {found.text}"
        return self._written((*entry, error.key), text, found.hint)

    def raise_if_any(self) -> None:
        """ConfigError with every problem so far."""
        if self._problems:
            raise ConfigError(tuple(self.problems()))

    def problems(self) -> list[Problem]:
        """Each once, with the hosts it was found on."""
        return [
            Problem(p.file, p.line, p.column, f"{p.text} (on {_named(hosts)})", p.hint)
            for p, hosts in self._problems.items()
        ]

    def _file(
        self, config: ConfigFileConfig, service: str, host: str, release: str
    ) -> RenderedFile:
        shown: str | None
        if config.template:
            shown, content, secret = self._rendered(config.template, service, host, release)
        else:
            content = self._copy(config.source)
            shown, secret = _readable(content), False
        mode = config.mode
        if mode is None:
            mode = CLOSED if secret else OPEN
        if secret and mode & _OTHERS:
            what = f"it has a secret in it, and mode {mode:04o} lets everybody read it"
            hint = "mode: 0640, or less"
            raise NotRendered(Problem(config.source, 1, 1, what, hint), "mode")
        if not config.template and not mode & _OTHERS:
            shown = None
        return RenderedFile(
            config.to, content, shown, mode, config.owner or "", secret, config.source,
            config.validate_ or (),
        )  # fmt: skip

    def _rendered(
        self, path: str, service: str, host: str, release: str
    ) -> tuple[str, bytes, bool]:
        template = self._template(path)
        names = names_for(self._project, service, host, release)
        references = references_for(self._project, service, host)
        hidden = SecretNames(dict.fromkeys(references, STARS))
        shown = template.render(names, hidden)
        if not hidden.used or self._values is None:
            return shown, _limited(path, shown.encode()), hidden.used
        values = {name: self._values(reference) for name, reference in references.items()}
        try:
            whole = template.render(names, SecretNames(values))
        except NotRendered as error:
            raise NotRendered(_veiled(error.problem, values.values())) from None
        return shown, _limited(path, whole.encode()), True

    def _template(self, path: str) -> LoadedTemplate:
        from gapless.drivers.config_files.template import LoadedTemplate  # brings Jinja2 with it

        if path not in self._templates:
            self._templates[path] = LoadedTemplate.read(path)
        return self._templates[path]

    def _copy(self, path: str) -> bytes:
        if path not in self._copied:
            try:
                self._copied[path] = _limited(path, Path(path).read_bytes())
            except OSError as error:
                raise NotRendered(Problem(path, 1, 1, f"{error.strerror}"), "file") from None
        return self._copied[path]


def _limited(path: str, content: bytes) -> bytes:
    if len(content) > LIMIT:
        what = f"a configuration file of {len(content):,} bytes; {LIMIT:,} is the limit"
        raise NotRendered(Problem(path, 1, 1, what, "bring it with the release"))
    return content


def _readable(content: bytes) -> str | None:
    """As text; None where it is none."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _veiled(problem: Problem, values: Iterable[str]) -> Problem:
    text = veil(problem.text.encode(), secret_forms(values)).decode("utf-8", "replace")
    return Problem(problem.file, problem.line, problem.column, text)


def _named(hosts: Iterable[str]) -> str:
    first, *others = hosts
    return f"{first} and {len(others)} more" if others else first


def needed(project: ProjectConfig, instances: Iterable[tuple[str, str]]) -> Mapping[str, None]:
    """References that the templates of these services and hosts may ask for, each once."""
    return {
        reference: None
        for service, host in instances
        if any(file.template for file in project.services[service].config)
        for reference in references_for(project, service, host).values()
    }
