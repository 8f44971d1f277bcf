"""Waiting for something that will happen, with a deadline for when it does not."""

import select
import time

PATIENCE = 20.0     # far more than anything here takes, sanitizers and busy machines included


def until(what, question, patience=PATIENCE):
    """Ask until the answer is true, and return it."""
    end, pause = time.monotonic() + patience, 0.0002
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"after {patience:g} s still not: {what}"
        time.sleep(pause)
        pause = min(2 * pause, 0.02)


def readable(fd, seconds):
    """Whether there is something to read, within that time. Of any descriptor: select() takes none
    above 1023, and a long run has such."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0, seconds) * 1000))
