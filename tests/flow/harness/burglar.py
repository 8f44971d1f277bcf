"""Whoever has broken into one of the program's processes (harness/burglar.c)."""

import os
import pathlib
import re
import subprocess

from .waiting import until

SOURCE = pathlib.Path(__file__).with_name("burglar.c")


def build(folder):
    """The library to preload."""
    made = pathlib.Path(folder) / "burglar.so"
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE], check=True)
    made.chmod(0o755)
    return made


def order(library, process, deed, argument=""):
    """The environment in which that process does it."""
    return {"LD_PRELOAD": str(library), "BURGLAR": f"{process} {deed} {argument}"}


def outcome(proxy, deed):
    """"done"; or the name of the error; or "killed", when that was the end of the process."""
    said = re.compile(rf"burglar: {deed}: (\w+)")

    def find():
        for line in proxy.errors + proxy.output:
            if found := said.search(line):
                return found[1]
            if "was killed by signal 31" in line:
                return "killed"
        return None

    return until(f"something came of {deed}", find)
