"""The status page in a real browser: what it makes of each status.json that a small server hands
it, and what it shows of the program."""

import re
import signal

import pytest

from harness import browser as browser_module, client
from harness.origin import echo
from harness.status_mock import StatusMock, at, certificate, crl, route, server, well
from harness.waiting import until

if browser_module.BROWSER is None:
    pytest.skip("chromium is not installed", allow_module_level=True)

SIZES = [(360, 800), (1280, 900)]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = browser_module.Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture
def shown(browser):
    """shown(status, width=, height=, dark=): a tab with the page, which has drawn it. At the end
    it has asked nobody else for anything, and complained of nothing."""
    made = []

    def show(status, **how):
        mock = StatusMock(status)
        page = browser.page(mock.url, **how)
        made.append((mock, page))
        page.mock = mock
        page.until("typeof heard !== 'undefined' && (heard || lost) && true")
        return page

    yield show
    for mock, page in made:
        page.close()
        mock.close()
    for mock, page in made:
        assert page.complaints == []
        elsewhere = [u for u in page.requests if not u.startswith((mock.url, "data:"))]
        assert elsewhere == []


def ask(page, expression):
    """The value of an expression, with blanks for those that do not break."""
    def plain(v):
        if isinstance(v, str):
            return re.sub("[\xa0\u202f]", " ", v)
        if isinstance(v, list):
            return [plain(x) for x in v]
        return {plain(k): plain(x) for k, x in v.items()} if isinstance(v, dict) else v
    return plain(page.evaluate(expression))


def word(page):
    """How it is, what is said first, and what after that."""
    return ask(page, """[document.getElementById("verdict").className.split(" ")[1],
        document.getElementById("word").textContent,
        ...[...document.querySelectorAll("#issues li")].map(li => li.textContent)]""")


def update(page, status):
    page.mock.status = status
    page.evaluate("ask()")


def cells(page, table, row=0):
    return ask(page, f"""Object.fromEntries([...document.querySelectorAll(
        "#t-{table} tbody tr")[{row}].querySelectorAll("td")].map(
        td => [td.dataset.l, td.textContent]))""")


def overflow(page):
    """What sticks out to the right, and by how much."""
    return page.evaluate("""[...document.querySelectorAll("body *")].filter(e => {
        const r = e.getBoundingClientRect();
        return r.width > 1 && r.right > document.documentElement.clientWidth + 1;
        }).map(e => e.outerHTML.slice(0, 200)).concat(
        document.documentElement.scrollWidth > innerWidth ? ["the page scrolls"] : [])""")


def opened(page):
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    return page


def changed(**keys):
    return {**well(), **keys}


def upstream(*servers):
    return [{"upstream": "db", "check": "tcp", "balance": "round_robin", "servers": list(servers)}]


def store(*certificates):
    return [{"store": "node", "certificates": list(certificates)}]


def trust(*certificates, crls=()):
    return [{"trust": "clients", "certificates": list(certificates), "crls": list(crls)}]


FAILED = {"ok": False, "mended": False, "time": at(-0.01), "cause": "asked", "files": "",
          "generation": 3,
          "findings": [{"level": "error", "file": "/etc/s.conf", "line": 12, "section": "route a",
                        "key": "store", "value": "nod", "message": "there is no [store nod]",
                        "hint": "did you mean node?"}]}
CHANGE = {"level": "note", "file": "/etc/tls.crt", "line": 0, "section": "store node", "key": None,
          "value": None, "message": "certificate CN=a replaced: serial 01 -> 02", "hint": None}
DOWN = server("10.0.0.2:9042", "down", "connection refused")
UNRESOLVED = {"server": "db.example:1", "addresses": []}

VERDICTS = {
    "well": (well(), "ok", "All is well."),
    "bare": ({}, "ok", "All is well."),
    "not ready": (changed(ready=False, not_ready=["route cql: no certificate of store node"]),
                  "bad", "Not ready: route cql: no certificate of store node."),
    "not ready, unsaid": (changed(ready=False), "bad", "Not ready."),
    "draining": (changed(ready=False, state="draining"), "warn",
                 "Draining: no new connections are taken."),
    "reload": (changed(last_reload=FAILED), "warn",
               "The last reload failed, at 2026-11-23 22:00:47 UTC, and generation 3 stays in "
               "force: /etc/s.conf:12: there is no [store nod]."),
    "no reload yet": (changed(last_reload=None), "ok", "All is well."),
    "one of two down": (changed(upstreams=upstream(server("10.0.0.1:9042"), DOWN)), "warn",
                        "Upstream db: 1 of 2 servers is down, 10.0.0.2:9042: connection refused."),
    "all down": (changed(upstreams=upstream(DOWN)), "bad",
                 "Upstream db: its server is down, 10.0.0.2:9042: connection refused."),
    "unresolved": (changed(upstreams=upstream(UNRESOLVED)), "bad",
                   "Upstream db: its server is down, db.example:1: no address found."),
    "unchecked": (changed(upstreams=upstream(server("10.0.0.1:9042", "unchecked"))), "ok",
                  "All is well."),
    "due": (changed(stores=store(certificate("CN=a,O=b", 20, state="due"))), "warn",
            "Certificate a (store node) ends in 20 days."),
    "stale": (changed(stores=store(certificate("CN=a", 25, state="stale"))), "warn",
              "Certificate a (store node) is past two thirds of its life, and nothing has renewed "
              "it: it ends in 25 days."),
    "expired": (changed(stores=store(certificate("CN=a", -3, state="expired"))), "bad",
                "Certificate a (store node) expired 3 days ago."),
    "hours": (changed(stores=store(certificate("CN=a", 0.25, 1, state="due"))), "warn",
              "Certificate a (store node) ends in 6 h."),
    "old intermediate": (changed(stores=store(certificate("CN=i", -3, state="expired",
                                                          kind="chain"))), "bad",
                         "Intermediate certificate i (store node) expired 3 days ago."),
    "mended": (changed(last_reload={**FAILED, "ok": True, "mended": True}), "ok", "All is well."),
    "no worker process": (changed(workers=[{"worker": 0, "pid": None, "started": at(-1),
                                            "restarts": 0, "connections_open": 0}]), "ok",
                          "All is well."),
    "old ca": (changed(trusts=trust(certificate("CN=c", -3, state="expired"))), "warn",
               "CA certificate c (trust clients) expired 3 days ago."),
    "old crl": (changed(trusts=trust(crls=[crl("CN=c", -3, state="expired")])), "bad",
                "The CRL of c (trust clients) expired 3 days ago."),
    "worker": (changed(workers=[{"worker": 1, "pid": None, "started": None, "restarts": 3,
                                 "connections_open": 0}]), "warn", "Worker 1 is being replaced."),
}


@pytest.mark.parametrize("how", VERDICTS)
def test_the_verdict(shown, how):
    status, level, said = VERDICTS[how]
    page = shown(status)
    assert word(page) == [level, said]
    assert page.evaluate("document.title")[0] == {"ok": "✓", "warn": "!", "bad": "✗"}[level]


def test_the_worst_comes_first(shown):
    page = shown(changed(last_reload=FAILED, upstreams=upstream(DOWN), stores=store(
        *[certificate(f"CN=n{i}", -1 - i, state="expired") for i in range(5)],
        certificate("CN=soon", 5, state="due"))))
    level, *said = word(page)
    assert level == "bad"
    assert [re.sub(r"[ :,].*", "", s) for s in said] == [
        "Upstream", "Certificate", "Certificate", "Certificate", "2", "The", "Certificate"]
    assert said[1] == "Certificate n4 (store node) expired 5 days ago"
    assert said[4] == "2 more have expired"
    update(page, well())
    assert word(page) == ["ok", "All is well."]


HOSTILE = ["<img src=x onerror=owned=1>", "</script><script>owned=1</script>", "\"'><b>bold</b>",
           "<style>*{display:none}</style>", "javascript:owned=1", "&lt;i&gt;", "${owned=1}",
           "a\u202egpj.exe", "x\u2066\u200b\u0000\u001b[31m", "Ж中ü😀", "__proto__", "constructor",
           "W" * 700, "-" * 300 + "\n" * 9, "مرحبا"]


def visible(text):
    """As the page shows it: what has no picture or turns text round, by its number."""
    return "".join(f"\\u{{{ord(c):x}}}" if re.match("[\0-\x1f\u200b\u202e\u2066]", c) else c
                   for c in text)


def everywhere(s):
    """A status in which each text is this one."""
    def turn(value, name=""):
        if isinstance(value, dict):
            return {k: turn(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [turn(v, name) for v in value]
        kept = name in ("state", "level") or name.endswith(("_after", "_before", "_update"))
        return s if isinstance(value, str) and not kept else value

    full = changed(
        ready=False, not_ready=["x"], last_reload={**FAILED, "changes": [CHANGE]}, hops=["x"],
        upstreams=upstream(DOWN, UNRESOLVED), routes=[route("r", sni=["x"])],
        stores=store(certificate("CN=a", -3, state="expired")),
        trusts=trust(certificate("CN=a", 3, state="due"), crls=[crl("c", -1, state="expired")]))
    named = turn(full)
    named["routes"][0]["ended"] = named["routes"][0]["handshakes_failed"] = {s: 3}
    named["totals"][s] = 4
    return named


@pytest.mark.parametrize("width, height", SIZES)
def test_hostile_text_is_text(shown, width, height):
    page = opened(shown(changed(last_reload=FAILED, hops=["x"]), width=width, height=height))
    tags = "[...new Set([...document.querySelectorAll('*')].map(e => e.localName))].sort()"
    scripts = "document.querySelectorAll('script, style').length"
    before = page.evaluate(tags), page.evaluate(scripts)
    for text in HOSTILE:
        update(page, everywhere(text))
        opened(page)
        assert set(page.evaluate(tags)) - {*before[0]} == set(), text
        assert page.evaluate(scripts) == before[1], text
        assert page.evaluate("typeof owned") == "undefined", text
        for where in ("word", "issues", "about", "t-routes", "t-stores", "t-trusts", "t-upstreams",
                      "t-listeners", "main"):
            said = page.evaluate(f"document.getElementById('{where}').textContent")
            assert visible(text) in said, (where, text)
        assert page.evaluate("document.querySelectorAll('#t-routes tbody tr').length") == 1
        assert overflow(page) == [], text


@pytest.fixture
def running(gate, origin):
    """A sallyport with a TCP admin address, and the URL of its page."""
    def start(upstream=None, **kwargs):
        proxy = gate(upstream or origin(echo).address, proxy={"admin": "127.0.0.1:0"}, **kwargs)
        where = proxy.await_message(r"^admin on 127\.0\.0\.1:")["message"]
        return proxy, f"http://127.0.0.1:{where.rpartition(':')[2]}/"
    return start


def test_the_program_serves_it_and_it_shows_the_program(browser, running, certs):
    proxy, url = running(client_auth="request")
    page = browser.page(url, width=360, height=800)
    page.until("typeof heard !== 'undefined' && heard && true")
    page.until("ask().then(() => document.getElementById('verdict').className === 'verdict ok')")
    assert word(page) == ["ok", "All is well."]
    with client.Careful(proxy.address, certs, client=certs.client) as c:
        c.handshake()
        c.send(b"x" * 1000)
        assert len(c.receive(1000)) == 1000

        def shows():
            page.evaluate("ask()")
            return cells(page, "routes")["Out"] == "1.00 kB"
        until("it shows the bytes", shows)
        assert cells(page, "routes")["Open"] == "1"
    good = proxy.path.read_text()
    proxy.path.write_text(good + "listne = 127.0.0.1:0\n")
    proxy.signal(signal.SIGHUP)
    proxy.await_message("^reload failed")
    page.until("ask().then(() => document.getElementById('verdict').className === 'verdict warn')")
    said = word(page)[1]
    assert said.startswith("The last reload failed, at ") and "generation 1 stays in force" in said
    assert f"{proxy.path}:" in said
    assert overflow(page) == []
    proxy.path.write_text(good)
    proxy.signal(signal.SIGHUP)
    page.until("ask().then(() => document.getElementById('verdict').className === 'verdict ok')")
    names = ask(page, "[...document.querySelectorAll('#t-stores th, #t-trusts th')].map("
                      "e => e.textContent)")
    assert len(names) > 5 + 5
    assert page.complaints == []
    assert {u for u in page.requests if not u.startswith("data:")} == {url, url + "status.json"}
    proxy.signal(signal.SIGTERM)
    proxy.wait()
    page.evaluate("ask()")
    assert word(page)[1].startswith("No answer since ")
    page.close()


def test_the_program_says_what_is_down(browser, running):
    _, url = running("127.0.0.1:1", upstream_keys={"check": "tcp", "check_interval": "100ms"})
    page = browser.page(url)
    page.until("typeof heard !== 'undefined' && heard && true")
    page.until("ask().then(() => document.getElementById('verdict').className === 'verdict bad')")
    assert word(page)[1].startswith("Upstream app: its server is down, 127.0.0.1:1")
    got = cells(page, "upstreams")
    assert got["State"] == "down" and "refused" in got["Why"]
    page.close()


def test_the_policy_forbids_what_the_page_does_not_do(shown):
    page = shown(well())
    for bad in ("document.body.innerHTML = 'x'", "eval('1')", "document.write('x')",
                "document.body.insertAdjacentHTML('beforeend', '')"):
        assert page.evaluate(f"(() => {{ try {{ {bad}; return 'done'; }} "
                             "catch (e) { return 'no'; } })()") == "no", bad
    page.complaints.clear()                     # of just these


@pytest.mark.parametrize("width, height", SIZES)
def test_ten_thousand(shown, width, height):
    n = 10000
    status = changed(
        routes=[route(f"r{i:05}", connections_open=i) for i in range(n)],
        stores=store(*[certificate(f"CN=c{i:05}", 10 + i / 100, serial=f"{i:X}")
                       for i in reversed(range(n))]))
    page = shown(status, width=width, height=height)
    for table, first, last in (("routes", "r09999", "r09950"), ("stores", "c00000", "c00049")):
        names = f"""[...document.querySelectorAll("#t-{table} tbody th > span")].map(
            e => e.textContent)"""
        got = page.evaluate(names)
        assert (len(got), got[0], got[-1]) == (50, first, last)
        note = f"document.getElementById('h-{table}').parentNode.lastElementChild.textContent"
        assert ask(page, note).startswith("and 9 950 more: ")
        wanted = first[0] + "0777"
        page.evaluate(f"""(() => {{ const box = document.querySelector("#h-{table} input");
            box.focus(); box.value = "{wanted.upper()}"; box.dispatchEvent(new Event("input"));
            }})()""")
        assert sorted(page.evaluate(names)) == [f"{wanted}{i}" for i in range(10)]
        page.evaluate("ask()")                  # which takes neither the focus nor the word away
        assert len(page.evaluate(names)) == 10
        assert page.evaluate("document.activeElement.value") == wanted.upper()
    assert page.evaluate("document.querySelectorAll('*').length") < 5000
    assert overflow(page) == []


def test_few_have_no_filter(shown):
    page = shown(changed(routes=[route(f"r{i}", connections_open=i) for i in range(50)]))
    assert page.evaluate("document.querySelectorAll('input').length") == 0
    assert page.evaluate("document.querySelectorAll('#t-routes tbody tr').length") == 50
    assert page.evaluate("document.querySelector('#t-routes tbody th span').textContent") == "r0"


def test_an_update_disturbs_nobody(shown):
    """What is open stays open, where one has scrolled to, the very elements stay."""
    status = changed(routes=[route(f"r{i}") for i in range(40)])
    page = shown(status)
    page.evaluate("""void (kept = document.querySelectorAll("#t-routes details")[20],
        kept.open = true, kept.firstChild.focus(), scrollTo(0, 500))""")
    status["routes"][20].update(connections_open=77, connections=928)     # none that is new
    del status["routes"][3]
    update(page, status)
    assert page.evaluate("""[kept.isConnected, kept.open, scrollY > 400,
        document.activeElement === kept.firstChild]""") == [True] * 4
    assert cells(page, "routes", 19)["Open"] == "77"
    page.evaluate("""void (changes = 0, new MutationObserver(l => { changes += l.length; })
        .observe(document, {subtree: true, childList: true, characterData: true,
                            attributes: true}))""")
    page.evaluate("ask()")
    page.evaluate("ask()")
    assert page.evaluate("changes") == 0        # the same again touches nothing


def test_rates(shown):
    page = shown(changed(routes=[route("busy"), route("idle")]))
    assert cells(page, "routes")["New/s"] == "–"
    more = route("busy", connections=1700, bytes_to_clients=654321 + 10**9)
    # the time between two answers is the test's
    page.mock.status = changed(routes=[more, route("idle")])
    page.evaluate("ask()")
    page.evaluate("void (past = [past[0], past.at(-1)], past[1].at = past[0].at + 1e4, draw())")
    got = cells(page, "routes")
    assert (got["New/s"], got["In/s"], got["Out/s"]) == ("70", "0", "100 MB")
    assert (got["Connections"], got["Out"]) == ("1 705", "1.00 GB")
    assert cells(page, "routes", 1)["New/s"] == "0"
    update(page, changed(pid=1, routes=[route("busy", connections=1)]))
    assert cells(page, "routes")["New/s"] == "–"            # it began anew


def test_details(shown):
    page = shown(changed(
        routes=[route("r", sni=["a.example", "b.example"], client_certificate_not_after=at(3),
                      ended={"done": 1, "idle-timeout": 30}, handshakes_failed={"plain-http": 7})],
        generations_older=1, connections_on_older=12, last_reload=FAILED))
    text = ask(page, "document.querySelector('#t-routes details').textContent")
    for words in ("terminate", "a.example, b.example", "store node", "require, trust clients",
                  "in 3 days", "990, 10 % resumed", "7 plain-http", "30 idle-timeout1 done"):
        assert words in text
    text = ask(page, "document.getElementById('h-conf').parentNode.textContent")
    for words in ("3 is in force", "1 still has 12 connections", "failed 14 min ago",
                  "/etc/s.conf:12 [route a] store = nod: there is no [store nod]",
                  "did you mean node?"):
        assert words in text
    update(page, changed(last_reload={**well()["last_reload"], "changes": [CHANGE]}))
    assert ("[store node] /etc/tls.crt: certificate CN=a replaced: serial 01 -> 02"
            in page.evaluate("document.getElementById('h-conf').parentNode.textContent"))
    update(page, changed(hops=["plaintext to 10.0.0.2:9042 (upstream db)"]))
    assert "plaintext to 10.0.0.2:9042 (upstream db)" in page.evaluate(
        "document.getElementById('main').textContent")
    assert page.evaluate("document.querySelector('.bar i').style.width") == "89%"


def test_no_answer(shown):
    page = shown(well())
    update(page, None)
    level, said, *_ = word(page)
    assert level == "bad" and re.match(r"No answer since \d\d:\d\d:\d\d UTC: ", said)
    assert cells(page, "routes")["Open"] == "5"             # what was is still there
    since = said.split()[3]
    page.evaluate("ask()")
    assert word(page)[1].split()[3] == since
    update(page, well())
    assert word(page) == ["ok", "All is well."]
    for odd in ([], "x", 5, {"routes": 5, "stores": {}, "totals": []}, {"routes": [None]}):
        update(page, odd)
        assert page.evaluate("document.getElementById('word').textContent"), odd
    update(page, well())
    assert word(page) == ["ok", "All is well."]


def test_no_answer_at_all(shown):
    level, said, *_ = word(shown(None))
    assert level == "bad" and said.startswith("No answer yet: ")


CONTRAST = """(() => {
    const rgb = c => c.match(/[\\d.]+/g).map(Number);
    const light = c => { const [r, g, b] = rgb(c).map(v => v / 255).map(
        v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b; };
    const ground = e => { for (; e; e = e.parentElement) {
        const c = getComputedStyle(e).backgroundColor;
        if ((rgb(c)[3] ?? 1) > 0) return c; } return "rgb(255, 255, 255)"; };
    const low = [];
    for (const e of document.querySelectorAll("body *")) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        if (!e.getClientRects().length) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
        const ratio = (a + .05) / (b + .05);
        if (ratio < 4.5) low.push(e.textContent.slice(0, 40) + " " + ratio.toFixed(2));
    }
    return low;
})()"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("level", ["ok", "warn", "bad"])
@pytest.mark.parametrize("width, height", SIZES)
def test_it_can_be_read(shown, tmp_path, dark, level, width, height):
    page = opened(shown(changed(
        ready=level != "bad", last_reload=FAILED if level != "ok" else None,
        hops=["x"], upstreams=upstream(server("a"), server("b", "unchecked"), server("c"))),
        width=width, height=height, dark=dark))
    assert word(page)[0] == level
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (int(re.search(r"\d+", ground)[0]) < 64) == dark
    assert page.evaluate(CONTRAST) == []
    assert overflow(page) == []
    page.screenshot(tmp_path / "page.png")
    page.emulate("print", "dark" if dark else "light")
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert int(re.search(r"\d+", ground)[0]) > 200           # paper is white


@pytest.mark.parametrize("width, height", SIZES)
def test_who_hears_it_knows_what_is_a_table(shown, width, height):
    """Narrow as well, where the tables are laid out as cards."""
    page = shown(well(), width=width, height=height)
    nodes = page.command("Accessibility.getFullAXTree")["nodes"]
    roles = [n["role"]["value"] for n in nodes if not n["ignored"]]
    assert {r: roles.count(r) for r in ("table", "rowheader", "status", "main", "banner")} == {
        "table": 6, "rowheader": 8, "status": 1, "main": 1, "banner": 1}
    assert roles.count("columnheader") == 9 + 5 + 5 + 5 + 5 + 5
    names = [n["name"]["value"] for n in nodes if n["role"]["value"] == "table"]
    assert names[0].startswith("Routes")


def test_without_script(browser):
    mock = StatusMock(well())
    page = browser.page("about:blank")
    page.command("Emulation.setScriptExecutionDisabled", value=True)
    page.command("Page.navigate", url=mock.url)
    page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
    assert page.evaluate("document.querySelector('noscript').innerText.replace(/\\s+/g, ' ')") == (
        "This page is drawn by a script. What it shows is in status.json and metrics; "
        "sallyport status prints it.")
    assert page.evaluate("[...document.querySelectorAll('noscript a')].map(a => a.pathname)") == [
        "/status.json", "/metrics"]
    assert mock.asked == 0
    page.close()
    mock.close()


