"""Hosts, groups, selection, and what runs on a machine."""

from gapless.inventory.inventory import Inventory

__all__ = ["Inventory"]
