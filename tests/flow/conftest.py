"""Fixtures of the flow tests. A test takes `gate` or `sallyport`, `origin` and `certs`."""

import faulthandler
import os
import pathlib
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import certs as certs_module          # noqa: E402
from harness.gate import Gate, render               # noqa: E402
from harness.java_client import JavaClient          # noqa: E402
from harness.keytool import Stores                  # noqa: E402
from harness.origin import Origin                   # noqa: E402

TEST_SECONDS = 300      # of one test, however busy the machine


def pytest_configure(config):
    config.addinivalue_line("markers", "systems: with a real system behind the proxy")
    config.addinivalue_line("markers", "seconds(n): how long this test may take")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure is told with what the programs said."""
    report = (yield).get_result()
    if report.failed:
        for gate in getattr(item, "gates", []):
            report.sections.append((f"output of process {gate.pid}", gate.text()))


@pytest.fixture(autouse=True)
def remember_gates(request):
    Gate.started = request.node.gates = []


@pytest.fixture(autouse=True)
def alarm(request):
    """A test that hangs fails, with the stacks of all its threads."""
    mark = request.node.get_closest_marker("seconds")
    seconds = mark.args[0] if mark else TEST_SECONDS

    def ring(_signo, _frame):
        faulthandler.dump_traceback()
        raise TimeoutError(f"the test took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    return certs_module.Certs(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    made = Stores(tmp_path_factory.mktemp("stores"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def java():
    """A client of Java's (harness/java_client.py). One JVM serves all who ask."""
    made = JavaClient()
    yield made
    made.close()


def closing(things):
    """Close them all, last first; the first complaint counts."""
    complaint = None
    for thing in reversed(things):
        try:
            thing.close()
        except Exception as e:  # noqa: BLE001  (raised below)
            complaint = complaint or e
    if complaint:
        raise complaint


@pytest.fixture
def origin():
    """origin(handler=None, path=None): a service; see harness/origin.py."""
    made = []

    def make(*args, **kwargs):
        made.append(Origin(*args, **kwargs))
        return made[-1]

    yield make
    closing(made)


@pytest.fixture
def open_folder():
    """A folder that the workers may enter when root runs the tests (they are nobody then), with
    a path short enough for a Unix socket's."""
    with tempfile.TemporaryDirectory(prefix="sallyport-") as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@pytest.fixture
def sallyport(tmp_path):
    """sallyport(sections, listeners=1, …): `serve` with a whole configuration.

    `sections` is what render() takes, or the text of the file. The Gate that comes back
    has said on which addresses it listens.
    """
    made = []

    def start(sections, **kwargs):
        path = tmp_path / f"sallyport-{len(made)}.conf"
        path.write_text(sections if isinstance(sections, str) else render(sections))
        gate = Gate(["serve", "-c", path], **kwargs)
        gate.path = path
        made.append(gate)
        return gate

    start.made = made
    yield start
    closing(made)


@pytest.fixture
def config(certs):
    """config(upstream, proxy={…}, listener={…}, upstream_keys={…}, **route): the usual
    configuration, one route that terminates TLS, with what the test needs changed."""
    def make(upstream, proxy=None, upstream_keys=None, store=None, handshake_timeout=None,
             listen="127.0.0.1:0", **route):
        sections = {
            "proxy": {"workers": 1, "drain_timeout": "5s", **(proxy or {})},
            "store node": store or {"cert": certs.server.cert, "key": certs.server.key},
        }
        if "trust" in route or route.get("client_auth", "none") != "none":
            sections["trust clients"] = {"ca": certs.ca.cert}
            route.setdefault("trust", "clients")
        if handshake_timeout:
            sections[f"listener {listen}"] = {"handshake_timeout": handshake_timeout}
        if upstream_keys is not None:
            sections["upstream app"] = {"server": upstream, **upstream_keys}
            upstream = "app"
        sections["route main"] = {"mode": "terminate", "listen": listen, "store": "node",
                                  "upstream": upstream, **route}
        return sections
    return make


@pytest.fixture
def gate(sallyport, config):
    """gate(upstream, …): `serve` with what config() makes of it."""
    def start(upstream, listeners=1, env=None, descriptors=None, **kwargs):
        return sallyport(config(upstream, **kwargs), listeners=listeners, env=env,
                         descriptors=descriptors)
    return start
