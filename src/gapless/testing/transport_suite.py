"""The conformance suite of transports: subclass it, give it a rig, run it with pytest.

    class TestMine(TransportSuite):
        def rig(self) -> AbstractContextManager[TransportRig]:
            return my_rig()

Cases that need what a rig does not list in ``can`` are skipped by name.
"""

from __future__ import annotations

from gapless.testing.transport_commands import CommandCases
from gapless.testing.transport_files import FileCases
from gapless.testing.transport_rig import TransportRig
from gapless.testing.transport_state import StateCases

__all__ = ["TransportRig", "TransportSuite"]


class TransportSuite(CommandCases, StateCases, FileCases):
    """What every transport promises."""
