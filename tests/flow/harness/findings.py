"""What `serve` and `check` say of a configuration they will not run."""

import os
import re

from . import gate

_ERROR = re.compile(r"(?:^|[: ])error: ")


def judge(path, **kwargs):
    """Run both; each ends with 1 and says the same. The lines with errors come back."""
    said = {}
    for verb in ("check", "serve"):
        done = gate.run(verb, "-c", path, **kwargs)
        lines = (done.stdout + done.stderr).splitlines()
        said[verb] = [line for line in lines if _ERROR.search(line)]
        assert done.returncode == 1, f"{verb}: exit code {done.returncode}: {lines}"
        assert "listening on" not in done.stdout + done.stderr
    assert said["check"] == said["serve"]
    return said["check"]


def only_error(path, **kwargs):
    """The one error there is."""
    lines = judge(path, **kwargs)
    assert len(lines) == 1, "\n".join(lines)
    return lines[0]


def as_nobody():
    """For run(): what root would read is then what anybody may read."""
    return {"user": 65534, "group": 65534} if os.getuid() == 0 else {}
