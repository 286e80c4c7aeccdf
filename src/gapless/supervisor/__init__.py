"""``gapless run``: one supervised process, flipped without losing a request.

One thread, one poll loop, the standard library only: nothing of gapless is imported here, so that
what stays resident is small. Times are seconds of the monotonic clock.
"""
