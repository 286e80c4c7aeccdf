"""What runs on the hosts: a helper that is sent over stdin, and nothing that stays installed.

Standard library only, Python 3.8 or newer, started as ``python3 -I -S -c BOOT``. In the order in
which it comes alive:

1. ``boot`` receives the modules of this package and makes them importable.
2. ``loop`` answers requests, each in a thread of its own (``verbs`` says which function).
3. ``processes`` runs commands that die with the session (``tree``, ``children`` and ``cage`` see
   to that), ``actions`` and ``runner`` run those that must outlive it.
4. ``store`` keeps what the host must not forget: ``claims``, fences, memory, outcomes.

``bundle`` packs all of it, on the controller.

Starting has to be cheap, for it is done on every host of every rollout: modules are imported by
the first verb that needs them, and ``typing`` by type checkers only.
"""
