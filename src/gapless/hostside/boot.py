"""The first code on a host: makes the modules it was sent importable, then starts one of them.

Its own source is executed by BOOT (see ``bundle``) before there is anything to import from.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Sources:
    """Finder and loader of modules whose sources are in a dict."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The import system's question whether we have ``name``."""
        if name not in self.sources:
            return None
        package = any(other.startswith(name + ".") for other in self.sources)
        loader: Any = self
        return ModuleSpec(name, loader, origin=f"<{name}>", is_package=package)

    def create_module(self, spec: ModuleSpec) -> None:
        """None: an ordinary module object will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        name = module.__name__
        exec(compile(self.sources[name], f"<{name}>", "exec"), module.__dict__)  # noqa: S102


def start(bundle: dict[str, Any]) -> None:
    """Install ``bundle["sources"]`` and call ``main()`` of ``bundle["main"]``."""
    finder: Any = Sources(bundle["sources"])
    sys.meta_path.insert(0, finder)
    payload = import_module("gapless.hostside.payload")
    payload.SOURCES.update(bundle["sources"])
    payload.SETTINGS.update(bundle["settings"])
    import_module(bundle["main"]).main()
