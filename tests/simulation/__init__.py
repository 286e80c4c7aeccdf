"""Whole rollouts in virtual time, with faults and kills drawn by seed."""
