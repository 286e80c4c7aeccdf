"""``gapless pidwatch``: stay in the foreground before a daemon whose main process changes.

1. The process that everybody knows (the *face*) only passes signals on and ends as the daemon did.
   Behind it a *keeper* starts the command. The keeper is a subreaper: whatever the daemon leaves
   behind, and however it got away, becomes its child. So when the face is killed the keeper knows
   all that has to die, and when the keeper is killed the face does. As process 1 of a namespace
   no keeper is needed: the kernel does its work.
2. The main process is the one the pidfile names, if that descends from the keeper; else the one it
   was before; else the one that was started. A number that was in the file before the start does
   not count, whomever it names by now.
3. The file is read when it matters: before a signal is passed on and when the main process ended.
   Nothing is looked at in between, so nothing wakes up.
4. When the main process ended and others live, one of them may be about to write the file: its
   folder is watched for a few seconds. Then what is left is killed.

It runs as a program of its own and imports the standard library alone.
"""
