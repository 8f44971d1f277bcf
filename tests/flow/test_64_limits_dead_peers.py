"""A peer that vanished is known within a minute; one that is merely slow is left alone.

Linux ends a connection under TCP_USER_TIMEOUT also when the peer is alive and has its window
shut, so a consumer that pauses for a minute would be cut by the option that finds dead ones.
"""

import json
import os
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parent / "harness" / "dead_peers.py"


@pytest.mark.seconds(240)
@pytest.mark.skipif(not os.environ.get("FLOW_LONG"), reason="takes 90 seconds: FLOW_LONG=1 runs it")
@pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root")
def test_dead_peers_are_found_and_slow_ones_are_not_cut():
    done = subprocess.run(["unshare", "-n", sys.executable, SCRIPT], capture_output=True,
                          text=True, timeout=230)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    print(result["lost"], result["bulk_line"])
    for one in result["lost"]:                      # an idle one, and one being written to
        assert one["reason"] == "client-lost"
        assert one["after"] < 65
    assert result["bulk"] in result["expected"]     # every byte, after 75 s without reading
    assert result["bulk_line"] == {"reason": "client-cut", "bytes_out": str((8 << 20) + 2)}
