"""systemd's side of socket activation: a program is started with open sockets, from 3 on.

    activation.py NAME=FD... -- PROGRAM ARGUMENT...     replaces itself by the program

LISTEN_PID has to be the program's own, so it is set by what becomes the program.
"""

import fcntl
import os
import sys

HIGH = 100      # no descriptor that we are given is in the way of 3, 4, …


def main():
    split = sys.argv.index("--")
    named = [word.rpartition("=") for word in sys.argv[1:split]]
    moved = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, HIGH) for _, _, fd in named]
    for i, fd in enumerate(moved):
        os.dup2(fd, 3 + i, inheritable=True)
    os.closerange(3 + len(moved), HIGH + len(moved))
    env = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(moved)),
           "LISTEN_FDNAMES": ":".join(name for name, _, _ in named)}
    os.execve(sys.argv[split + 1], sys.argv[split + 1:], env)


main()
