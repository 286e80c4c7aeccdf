"""The first code on a host: makes the modules it was sent importable, then starts one of them.

Its own source is executed by BOOT (see ``bundle``) before there is anything to import from.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class Modules:
    """Finder and loader of modules whose sources or byte codes are in a dict."""

    def __init__(self, modules: dict[str, Any]) -> None:
        self.modules = modules

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The import system's question whether we have ``name``."""
        if name not in self.modules:
            return None
        package = any(other.startswith(name + ".") for other in self.modules)
        loader: Any = self
        return ModuleSpec(name, loader, origin=f"<{name}>", is_package=package)

    def create_module(self, spec: ModuleSpec) -> None:
        """None: an ordinary module object will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        name = module.__name__
        content = self.modules[name]
        if isinstance(content, str):
            content = compile(content, f"<{name}>", "exec", dont_inherit=True)
        exec(content, module.__dict__)  # noqa: S102


def start(bundle: dict[str, Any], settings: dict[str, Any]) -> None:
    """Install ``bundle["modules"]`` and call ``main()`` of ``bundle["main"]``."""
    gc.disable()  # modules are no garbage, and looking for some costs a twentieth of a start
    finder: Any = Modules(bundle["modules"])
    sys.meta_path.insert(0, finder)
    payload = import_module("gapless.hostside.payload")
    payload.MODULES.update(bundle["modules"])
    payload.SETTINGS.update(settings)
    main = import_module(bundle["main"]).main
    gc.freeze()
    gc.enable()
    main()
