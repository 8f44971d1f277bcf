"""A real browser without a screen, driven by its DevTools protocol over a pair of pipes."""

import base64
import json
import os
import shutil
import subprocess
import time

from .waiting import PATIENCE, readable, until

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

_FLAGS = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu", "--hide-scrollbars",
          "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--no-proxy-server",
          "--remote-debugging-pipe"]


class Browser:
    """One process; each Page is a tab of it."""

    def __init__(self, folder):
        ours, theirs = os.pipe(), os.pipe()     # commands to it, and what it says
        self._out, self._in = ours[1], theirs[0]
        self._left, self._number, self._answers, self._pages = b"", 0, {}, {}

        def hand_over():
            """It reads descriptor 3 and writes 4: each is moved out of the other's way first."""
            reading, writing = os.dup(ours[0]), os.dup(theirs[1])
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self._log = open(folder / "browser.log", "wb")
        self._process = subprocess.Popen(
            [BROWSER, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            preexec_fn=hand_over, close_fds=False, stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=self._log, start_new_session=True, env={**os.environ, "HOME": str(folder)})
        os.close(ours[0])
        os.close(theirs[1])

    def command(self, method, session=None, **params):
        self._number += 1
        number, message = self._number, {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data):]
        end = time.monotonic() + 3 * PATIENCE
        while number not in self._answers:
            self._read(end)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _read(self, end):
        assert readable(self._in, end - time.monotonic()), "the browser does not answer"
        data = os.read(self._in, 1 << 20)
        assert data, "the browser ended"
        *whole, self._left = (self._left + data).split(b"\0")
        for message in map(json.loads, whole):
            if "id" in message:
                self._answers[message["id"]] = message
            elif message.get("sessionId") in self._pages:
                self._pages[message["sessionId"]].heard(message["method"], message["params"])

    def page(self, url, **how):
        return Page(self, url, **how)

    def join(self, session, page):
        self._pages[session] = page

    def close(self):
        os.close(self._out)                     # it ends when nobody commands it any more
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        self._log.close()


class Page:
    """A tab of a size, light or dark, that remembers what it asked for and complained of."""

    def __init__(self, browser, url, width=1280, height=900, dark=False):
        self._browser, self.requests, self.complaints = browser, [], []
        self._target = browser.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.command("Target.attachToTarget", targetId=self._target,
                                        flatten=True)["sessionId"]
        browser.join(self._session, self)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.command(f"{domain}.enable")
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=width < 600)
        self.emulate("screen", "dark" if dark else "light")
        self.command("Page.navigate", url=url)

    def command(self, method, **params):
        return self._browser.command(method, self._session, **params)

    def emulate(self, media, scheme):
        self.command("Emulation.setEmulatedMedia", media=media,
                     features=[{"name": "prefers-color-scheme", "value": scheme}])

    def heard(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"])
        elif method == "Log.entryAdded" and params["entry"]["source"] != "network":
            self.complaints.append(params["entry"]["text"])

    def evaluate(self, expression):
        """The value of a JavaScript expression, awaited if it is a promise."""
        done = self.command("Runtime.evaluate", expression=expression, returnByValue=True,
                            awaitPromise=True, allowUnsafeEvalBlockedByCSP=False)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, expression):
        return until(expression, lambda: self.evaluate(expression))

    def screenshot(self, path, whole=True):
        """Of all of the page, or of what is in view."""
        done = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(done["data"]))

    def close(self):
        self._browser.command("Target.closeTarget", targetId=self._target)
