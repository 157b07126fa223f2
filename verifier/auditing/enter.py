"""Stands where xdist expects a Python interpreter: asks the warm process for a fork of itself, and ends as it ends.

Run by its path, `python -I -S enter.py SOCKET WORD...`, on the standard library alone: it starts in milliseconds. Our
standard streams become those of the fork. When this process is killed, `warm` sees its connection close, and kills.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main() -> None:
    """Hands over the streams, waits for the exit code of the fork, and exits with it."""
    path, *words = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        asked = {"run": "verifier.auditing.warm:interpreter", "words": words, "at_once": True}
        socket.send_fds(asking, [json.dumps(asked).encode() + b"\n"], [0, 1, 2])
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1):  # or the fork's own end would leave its pipes open
            os.dup2(nowhere, number)
        answer = asking.recv(16)
    os._exit(int(answer or b"1") & 255)


if __name__ == "__main__":
    main()
