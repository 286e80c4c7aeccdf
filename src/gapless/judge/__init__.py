"""The statistics of ``verify``: counts in, a finding with its arithmetic out. Nothing here asks
anything of anybody, waits, or imports more than the standard library."""
