"""``gapless handover verify``: torments a program with every case of docs/reference/handover.md.

It knows the page alone, and nothing of ``gapless.handover``: a kit that shared code with a program
would share its mistakes.
"""
