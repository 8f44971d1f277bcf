"""Files that change are taken up without being asked to, however they are replaced."""

import ctypes
import datetime
import os
import shutil
import signal
import ssl
import threading
import time

import pytest

from harness import client
from harness.certs import CA_EXT, Pair
from harness.gate import SALLYPORT, Gate, render, run
from harness.origin import echo
from harness.waiting import until

SOON = 1.0      # from the change to the first handshake with it


class Delivery:
    """A folder in which somebody else puts certificates."""

    def __init__(self, folder):
        self.dir = folder
        self.cert, self.key, self.ca = (folder / n for n in ("tls.crt", "tls.key", "ca.crt"))

    def write(self, pair):
        """In place."""
        shutil.copyfile(pair.cert, self.cert)
        shutil.copyfile(pair.key, self.key)

    def rename(self, source, target):
        """Over what is there, as careful programs do."""
        fresh = target.with_name(target.name + ".new")
        shutil.copyfile(source, fresh)
        os.replace(fresh, target)

    def swap(self, pair, stamp):
        """As kubelet does with a mounted secret."""
        data = self.dir / stamp
        data.mkdir()
        shutil.copyfile(pair.cert, data / "tls.crt")
        shutil.copyfile(pair.key, data / "tls.key")
        os.symlink(stamp, self.dir / "..data_tmp")
        before = (self.dir / "..data").resolve()
        os.replace(self.dir / "..data_tmp", self.dir / "..data")
        if before != data.resolve() and before.name != "..data":
            shutil.rmtree(before)
        for name in ("tls.crt", "tls.key"):
            if not (self.dir / name).is_symlink():
                os.symlink(f"..data/{name}", self.dir / name)


@pytest.fixture
def delivery(tmp_path):
    folder = tmp_path / "delivered"
    folder.mkdir()
    return Delivery(folder)


@pytest.fixture
def served(gate, origin, delivery, certs):
    """With the server's certificate, written before it starts."""
    delivery.write(certs.server)
    return gate(origin(echo).address, store={"cert": delivery.cert, "key": delivery.key})


def serial(proxy, certs):
    tls = client.connect(proxy.address, certs)
    try:
        return tls.getpeercert()["serialNumber"]
    finally:
        tls.close()


def await_serial(proxy, certs, pair):
    until(f"the certificate {pair.serial} is served",
          lambda: serial(proxy, certs) == pair.serial)


def done(proxy):
    return sum(r["message"] == "reload done" for r in proxy.records)


def failures(proxy):
    return [r["message"] for r in proxy.records if r["message"].startswith("reload failed")]


def errors(proxy):
    return [r["message"] for r in proxy.records if r["level"] == "error"
            and not r["message"].startswith("reload failed")]


def test_within_a_second(served, certs, delivery):
    assert serial(served, certs) == certs.server.serial
    with client.Careful(served.address, certs).handshake() as live:
        delivery.rename(certs.server_new.key, delivery.key)
        delivery.rename(certs.server_new.cert, delivery.cert)
        at = time.monotonic()
        await_serial(served, certs, certs.server_new)
        # The limit is the program's where it runs at full speed.
        if "build-san" not in os.environ.get("SALLYPORT", ""):
            assert time.monotonic() - at < SOON
        assert served.await_message("^reload done")["generation"] == "2"
        live.send(b"as before")
        assert live.receive(9) == b"as before"
        live.end()
        assert live.recv() == b""
    assert errors(served) == failures(served) == []


def test_a_mounted_secret_is_swapped(gate, origin, delivery, certs):
    delivery.swap(certs.server, "..2026_1")
    proxy = gate(origin(echo).address, store={"cert": delivery.cert, "key": delivery.key})
    for n, pair in enumerate([certs.server_new, certs.server, certs.server_rsa], 2):
        delivery.swap(pair, f"..2026_{n}")
        await_serial(proxy, certs, pair)
        assert proxy.await_message("^reload done")["generation"] == str(n)
    assert errors(proxy) == failures(proxy) == []


def first_part(path, source, quarter):
    data = source.read_bytes()
    path.write_bytes(data[:len(data) * quarter // 4])


@pytest.mark.parametrize("quarter", range(4))
def test_rewritten_in_place_and_cut(served, certs, delivery, quarter):
    """A writer that stops for a moment at each quarter of each file is waited for."""
    for path, source in ((delivery.key, certs.server_new.key),
                         (delivery.cert, certs.server_new.cert)):
        first_part(path, source, quarter)
        assert serial(served, certs) == certs.server.serial
        time.sleep(0.35)        # longer than a change takes to be looked at
        shutil.copyfile(source, path)
    await_serial(served, certs, certs.server_new)
    served.await_message("^reload done")        # the worker is a moment ahead of the log
    assert errors(served) == failures(served) == []
    assert done(served) == 1


@pytest.mark.parametrize("first, second", [("key", "cert"), ("cert", "key")])
def test_one_before_the_other(served, certs, delivery, first, second):
    for part in (first, second):
        delivery.rename(getattr(certs.server_new, part), getattr(delivery, part))
        assert serial(served, certs) == certs.server.serial
        time.sleep(0.35)
    await_serial(served, certs, certs.server_new)
    assert errors(served) == failures(served) == []


def expired(delivery, certs):
    delivery.rename(certs.server_expired.key, delivery.key)
    delivery.rename(certs.server_expired.cert, delivery.cert)


BAD = {
    "mismatched": (lambda f, certs: f.rename(certs.server_new.cert, f.cert), "tls.key", ""),
    "expired": (expired, "tls.crt", "expired"),
    "empty": (lambda f, certs: f.cert.write_text(""), "tls.crt", "empty"),
    "half": (lambda f, certs: first_part(f.key, certs.server_new.key, 2), "tls.key", ""),
    "gone": (lambda f, certs: f.key.unlink(), "tls.key", "no such file"),
}


@pytest.mark.parametrize("how", BAD)
def test_what_makes_no_sense_is_told_once(served, certs, delivery, how):
    breaking, name, reason = BAD[how]
    breaking(delivery, certs)
    failed = served.await_message("^reload failed")
    assert failed["message"] == "reload failed: generation 1 stays in force"
    complaint, = errors(served)
    assert name in complaint and reason in complaint
    assert serial(served, certs) == certs.server.serial

    # The same again is no news, whatever else happens there.
    os.utime(delivery.dir)
    delivery.cert.touch()
    delivery.ca.write_text("of no interest")
    time.sleep(2.5)
    assert len(errors(served)) == len(failures(served)) == 1, errors(served)

    delivery.cert.unlink()
    delivery.write(certs.server_new)
    await_serial(served, certs, certs.server_new)
    assert served.await_message("^reload done")["generation"] == "2"


def test_mode_000(open_folder, origin, certs):
    """Read by a user who is not root: nobody, when root runs the tests."""
    root = os.geteuid() == 0
    program = shutil.copy(SALLYPORT, open_folder / "sallyport")
    delivery = Delivery(open_folder)
    delivery.write(certs.server)
    delivery.key.chmod(0o644)
    for path in (delivery.cert, delivery.key):
        os.chown(path, *(2 * [65534 if root else -1]))
    conf = waiting(open_folder / "c", delivery, wait="0")
    conf.chmod(0o644)
    who = {"user": 65534, "group": 65534, "extra_groups": []} if root else {}
    proxy = Gate(["serve", "-c", conf], program=program, **who)
    try:
        delivery.cert.chmod(0)
        proxy.await_message("^reload failed: generation 1 stays in force")
        complaint, = errors(proxy)
        assert "tls.crt" in complaint and "permission denied" in complaint
        assert serial(proxy, certs) == certs.server.serial
        delivery.cert.chmod(0o644)
        proxy.await_message("^the files are again those of generation 1")
    finally:
        proxy.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="changes its user, which root alone can")
@pytest.mark.parametrize("how", ["cert", "dir"])
def test_what_the_user_cannot_read_is_told_in_advance(open_folder, certs, how):
    """One process for everything is root at the start, and nobody when it reads again."""
    where = open_folder / "private"
    where.mkdir(mode=0o700)
    delivery = Delivery(where)
    delivery.write(certs.server)
    store = {"dir": where} if how == "dir" else {"cert": delivery.cert, "key": delivery.key}
    conf = open_folder / "c"
    conf.write_text(render({
        "proxy": {"workers": 0, "user": "nobody"}, "store s": store,
        "route r": {"listen": "127.0.0.1:0", "store": "s", "upstream": "builtin:page"}}))

    def warnings():
        done = run("check", "-c", conf)
        assert done.returncode == 0, done.stdout
        return [s for s in done.stdout.splitlines() if "and will fail" in s]

    conf.chmod(0o600)
    enter, read = warnings()
    assert f"setfacl -m u:nobody:rx {where}" in enter and f"u:nobody:r {conf}" in read
    conf.chmod(0o644)
    where.chmod(0o755)
    delivery.key.chmod(0o600)
    warned, = warnings()
    assert f"{delivery.key}: permission denied" in warned
    where.chmod(0o711)
    hidden, = warnings()                    # of a folder that cannot be listed, no more is known
    assert (f"u:nobody:rx {where}" if how == "dir" else str(delivery.key)) in hidden
    where.chmod(0o755)
    for path in (delivery.cert, delivery.key):
        os.chown(path, 65534, 65534)
    assert warnings() == []
    where.chmod(0o711)                      # enough to read the files, not to hear of changes
    if how == "cert":
        assert warnings() == []
        proxy = Gate(["serve", "-c", conf])
        try:
            said = proxy.await_message("^files are looked at every 2 s")["message"]
            assert f"may not read the folder {where}" in said
            shutil.copyfile(certs.server_new.key, delivery.key)
            shutil.copyfile(certs.server_new.cert, delivery.cert)
            await_serial(proxy, certs, certs.server_new)
        finally:
            proxy.close()


def test_deleted_and_put_back(served, certs, delivery):
    delivery.cert.unlink()
    delivery.key.unlink()
    served.await_message("^reload failed")
    assert serial(served, certs) == certs.server.serial
    delivery.write(certs.server)
    served.await_message("^the files are again those of generation 1")
    assert done(served) == 0
    delivery.write(certs.server_new)
    await_serial(served, certs, certs.server_new)


def test_the_folder_is_replaced_as_a_whole(served, certs, delivery, tmp_path):
    other = Delivery(tmp_path / "other")
    other.dir.mkdir()
    other.write(certs.server_new)
    delivery.dir.rename(tmp_path / "old")
    other.dir.rename(delivery.dir)
    await_serial(served, certs, certs.server_new)


def test_the_same_again_is_nothing(served, certs, delivery):
    """Written anew with the same bytes: no new edition, and not a word."""
    served.await_message("^sallyport .* started")
    before = len(served.records)
    for _ in range(3):
        delivery.write(certs.server)
        delivery.rename(certs.server.cert, delivery.cert)
        time.sleep(0.5)
    assert [r["message"] for r in served.records[before:]] == []
    delivery.write(certs.server_new)
    await_serial(served, certs, certs.server_new)
    assert served.await_message("^reload done")["generation"] == "2"


def test_the_ca_is_replaced(gate, origin, delivery, certs):
    shutil.copyfile(certs.ca.cert, delivery.ca)
    proxy = gate(origin(echo).address, client_auth="require", trust="clients",
                 proxy={"workers": 2})
    text = proxy.path.read_text()
    proxy.path.write_text(text.replace(str(certs.ca.cert), str(delivery.ca)))
    proxy.signal(signal.SIGHUP)
    proxy.await_message("^reload done")

    both = certs.ca.cert.read_text() + certs.other_ca.cert.read_text()
    delivery.ca.write_text(both)
    proxy.await_message("CA CN=Other CA added")
    for who in (certs.client, certs.client_other_ca):
        assert client.outcome(proxy.address, certs, client=who) == "ok"
    delivery.rename(certs.other_ca.cert, delivery.ca)
    proxy.await_message("CA CN=Test CA removed")
    assert client.outcome(proxy.address, certs, client=certs.client) == "TLSV1_ALERT_UNKNOWN_CA"
    assert client.outcome(proxy.address, certs, client=certs.client_other_ca) == "ok"


def test_a_password_is_followed_too(gate, origin, delivery, certs):
    password = delivery.dir / "password"
    shutil.copyfile(certs.server.cert, delivery.cert)
    shutil.copyfile(certs.server.key, delivery.key)
    shutil.copyfile(certs.wrong_password_file, password)
    proxy = gate(origin(echo).address, store={
        "cert": delivery.cert, "key": delivery.key, "password_file": password})
    shutil.copyfile(certs.server_encrypted.key, delivery.key)
    proxy.await_message("^reload failed")
    assert any("password" in e for e in errors(proxy))
    shutil.copyfile(certs.password_file, password)
    proxy.await_message("^the files are again those of generation 1")    # it is the same key


def test_reload_signal_follows_nothing(gate, origin, delivery, certs):
    delivery.write(certs.server)
    proxy = gate(origin(echo).address, proxy={"reload": "signal"},
                 store={"cert": delivery.cert, "key": delivery.key})
    delivery.write(certs.server_new)
    time.sleep(1.0)
    assert serial(proxy, certs) == certs.server.serial
    proxy.signal(signal.SIGHUP)
    proxy.await_message("^reload done")
    assert serial(proxy, certs) == certs.server_new.serial


def test_a_broken_configuration_stops_no_rotation(served, certs, delivery):
    good = served.path.read_text()
    served.path.write_text(good + "half an ed")
    for pair in (certs.server_new, certs.server):
        delivery.write(pair)
        served.signal(signal.SIGHUP)
        served.await_message("^reload failed")
        await_serial(served, certs, pair)
    served.path.write_text(good)
    served.signal(signal.SIGHUP)
    served.await_message("^reload done")


def test_settings_of_the_command_line_are_kept(tmp_path, origin, delivery, certs):
    delivery.write(certs.server)
    with_flags = Gate(["serve", "--listen", "127.0.0.1:0", "--upstream",
                       origin(echo).address, "--cert", delivery.cert,
                       "--key", delivery.key, "--workers", "1", "--drain-timeout", "5s"])
    try:
        delivery.write(certs.server_new)
        await_serial(with_flags, certs, certs.server_new)
    finally:
        with_flags.close()


def test_the_difference_is_told(served, certs, delivery):
    delivery.write(certs.server_new)
    served.await_message("^reload done")
    note = served.await_message("replaced: serial")
    assert note["level"] == "info"
    assert note["message"].startswith(f"[store node] {delivery.cert}: certificate CN=localhost")
    assert certs.server.serial.lower().lstrip("0") in note["message"].lower()
    assert certs.server_new.serial.lower().lstrip("0") in note["message"].lower()


def test_it_polls_where_nothing_tells(gate, origin, delivery, certs):
    """Every inotify instance of this user is in use."""
    limit = int(open("/proc/sys/fs/inotify/max_user_instances").read())
    if limit > 4096:
        pytest.skip("too many inotify instances to use them up")
    libc = ctypes.CDLL(None, use_errno=True)
    delivery.write(certs.server)
    taken = []
    try:
        while (fd := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
            taken.append(fd)
        proxy = gate(origin(echo).address, store={"cert": delivery.cert, "key": delivery.key})
        proxy.await_message("^files are looked at every 2 s")
        delivery.write(certs.server_new)
        await_serial(proxy, certs, certs.server_new)
    finally:
        for fd in taken:
            os.close(fd)


# --- a file that makes sense before it is whole ---

@pytest.fixture(scope="module")
def chained(certs):
    """Two server certificates with an intermediate behind each, as files."""
    mid = certs.issue("follow-mid", "Follow Mid", ext=CA_EXT)

    def make(name):
        pair = certs.issue(name, "localhost", ca=mid, usage="serverAuth",
                           names="DNS:localhost,IP:127.0.0.1")
        whole = Pair(certs.file(f"{name}.chain", pair.cert.read_text() + mid.cert.read_text()),
                     pair.key)
        whole.leaf = pair.cert.read_text()
        whole.mid = mid.cert.read_text()
        return whole
    return make("chained-1"), make("chained-2")


def outcomes(proxy, certs, end):
    """What careful clients, who know the root alone, get until the end has come."""
    seen = set()
    while not end():
        try:
            seen.add(serial(proxy, certs))
        except ssl.SSLError as e:
            seen.add(str(e))
    return seen


def slowly(path, text, pause):
    """With close() after each line, as a shell's >> does."""
    path.write_text("")
    for line in text.splitlines(keepends=True):
        with open(path, "a") as f:
            f.write(line)
        time.sleep(pause)


@pytest.mark.parametrize("again", [True, False], ids=["same leaf", "another leaf"])
def test_a_chain_that_comes_later_is_waited_for(gate, origin, delivery, certs, chained, again):
    first, second = chained
    delivery.write(first)
    proxy = gate(origin(echo).address, store={"cert": delivery.cert, "key": delivery.key})
    proxy.await_message("^sallyport .* started")
    new = first if again else second
    at = time.monotonic()
    shutil.copyfile(new.key, delivery.key)
    delivery.cert.write_text(new.leaf)
    seen = outcomes(proxy, certs, lambda: time.monotonic() > at + 0.7)
    with open(delivery.cert, "a") as f:
        f.write(new.mid)
    assert seen == {first.serial}
    await_serial(proxy, certs, new)
    assert errors(proxy) == failures(proxy) == []


def test_a_chain_that_stays_shorter_is_taken(gate, origin, delivery, certs, chained):
    delivery.write(chained[0])
    proxy = gate(origin(echo).address, store={"cert": delivery.cert, "key": delivery.key})
    delivery.write(certs.server)
    await_serial(proxy, certs, certs.server)
    proxy.await_message("intermediate CN=Follow Mid removed")
    # Nor does a file that is written without an end keep it back for ever.
    delivery.write(chained[1])
    await_serial(proxy, certs, chained[1])
    end = time.monotonic() + 30
    while serial(proxy, certs) != certs.server_new.serial:
        delivery.write(certs.server_new)
        time.sleep(0.2)
        assert time.monotonic() < end


def test_written_line_by_line(served, certs, delivery, chained):
    """From no chain to one: nothing says that the intermediate is missing yet."""
    new = chained[1]
    shutil.copyfile(new.key, delivery.key)
    writer = threading.Thread(target=slowly,
                              args=(delivery.cert, new.leaf + 20 * "more\n" + new.mid, 0.03))
    writer.start()
    seen = outcomes(served, certs, lambda: not writer.is_alive())
    writer.join()
    assert seen == {certs.server.serial}
    await_serial(served, certs, new)
    assert errors(served) == failures(served) == []


# --- what is told ---

def test_who_asked_is_told(served, certs, delivery):
    delivery.rename(certs.server_new.key, delivery.key)
    delivery.rename(certs.server_new.cert, delivery.cert)
    done = served.await_message("^reload done")
    assert done["cause"] == "files" and done["files"] == f"{delivery.cert}, {delivery.key}"
    served.signal(signal.SIGHUP)
    done = served.await_message("^reload done")
    assert done["cause"] == "hup" and "files" not in done
    delivery.key.unlink()
    failed = served.await_message("^reload failed")
    assert failed["cause"] == "files" and failed["files"] == str(delivery.key)


def test_a_key_that_is_laid_open_is_told_at_once(gate, origin, open_folder, certs):
    delivery = Delivery(open_folder)
    delivery.write(certs.server)
    delivery.key.chmod(0o600)
    proxy = gate(origin(echo).address, store={"cert": delivery.cert, "key": delivery.key})
    proxy.await_message("^sallyport .* started")
    for _ in range(2):
        delivery.key.chmod(0o644)
        said = proxy.await_message("everybody on this machine can read the private key")
        assert said["level"] == "warn" and str(delivery.key) in said["message"]
        delivery.cert.touch()       # the same again is no news
        time.sleep(0.5)
        delivery.key.chmod(0o600)
        time.sleep(0.5)
    assert sum("everybody" in r["message"] for r in proxy.records) == 2
    assert done(proxy) == 0


# --- the start ---

def waiting(path, delivery, wait):
    path.write_text(render({
        "proxy": {"workers": 1},
        "store s": {"wait_files": wait, "cert": delivery.cert, "key": delivery.key},
        "route r": {"listen": "127.0.0.1:0", "store": "s", "upstream": "builtin:page"}}))
    return path


def test_the_start_waits(tmp_path, delivery, certs):
    def late():
        time.sleep(0.5)
        delivery.dir.mkdir()
        first_part(delivery.cert, certs.server.cert, 2)
        time.sleep(0.5)
        shutil.copyfile(certs.server.cert, delivery.cert)
        time.sleep(0.5)
        shutil.copyfile(certs.server.key, delivery.key)

    delivery.dir.rmdir()
    helper = threading.Thread(target=late)
    helper.start()
    proxy = Gate(["serve", "-c", waiting(tmp_path / "c", delivery, wait="60s")])
    helper.join()
    assert serial(proxy, certs) == certs.server.serial
    said = [line for line in proxy.errors if "waiting up to 1m for files" in line]
    assert len(said) == 1
    assert any("tls.crt" in line and "no such file" in line for line in proxy.errors)
    delivery.write(certs.server_new)
    await_serial(proxy, certs, certs.server_new)
    proxy.close()


def test_the_start_waits_no_longer_than_that(tmp_path, delivery, certs):
    shutil.copyfile(certs.server.cert, delivery.cert)
    at = time.monotonic()
    done = run("serve", "-c", waiting(tmp_path / "c", delivery, wait="1500ms"))
    assert done.returncode == 1 and time.monotonic() - at >= 1.5
    assert done.stderr.count("tls.key") >= 2 and done.stderr.count("waiting up to 1500ms") == 1
    assert "gave up waiting for files after 1" in done.stderr


def test_the_start_does_not_wait_for_what_is_wrong_elsewhere(tmp_path, delivery, certs):
    path = waiting(tmp_path / "c", delivery, wait="60s")
    path.write_text(path.read_text() + "nonsense = 1\n")
    done = run("serve", "-c", path)
    assert done.returncode == 1 and "waiting" not in done.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_wait_ends_when_told_to(tmp_path, delivery, how):
    proxy = Gate(["serve", "-c", waiting(tmp_path / "c", delivery, wait="60s")], listeners=0)
    until("it waits", lambda: any("waiting" in line for line in proxy.errors))
    proxy.signal(how)
    assert proxy.wait(5) == 0


def in_seconds(n):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=n)
    return at.strftime("%Y%m%d%H%M%SZ")


def test_what_mends_by_itself_is_tried_again(served, certs, delivery):
    """A CA's clock is ahead: nothing changes any more when the certificate's time comes."""
    early = certs.issue("server-early", "localhost", usage="serverAuth",
                        names="DNS:localhost,IP:127.0.0.1",
                        dates=(in_seconds(4), in_seconds(86400)))
    delivery.rename(early.key, delivery.key)
    delivery.rename(early.cert, delivery.cert)
    assert "is valid from" in served.await_message("is valid from")["message"]
    assert serial(served, certs) == certs.server.serial
    await_serial(served, certs, early)
    served.await_message("^reload done")
    assert len(failures(served)) == 1
    assert done(served) == 1
