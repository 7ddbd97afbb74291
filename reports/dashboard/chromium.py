#!/usr/bin/python3
"""Headless Chromium, driven over a pipe by the DevTools protocol; no package but Python's own.

As a program it makes a screenshot of a page of //reports:dashboard:
  reports/dashboard/chromium.py site/index.html#headline screenshot.png 1200x800
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

SECONDS = 20  # For any one answer; a page that takes longer has failed.
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find():
    """Returns the path of a Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One browser with one page. What the page complains of is in `complaints`."""

    def __init__(self, program):
        self._profile = tempfile.TemporaryDirectory(prefix="chromium.")
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()
        # The protocol's pipe is descriptors 3 and 4.
        command = [
            "bash", "-c", f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}', program, "--headless",
            "--remote-debugging-pipe", f"--user-data-dir={self._profile.name}", "--no-sandbox",
            "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
            "--disable-background-networking", "--disable-extensions", "--force-color-profile=srgb"
        ]
        environment = {**os.environ, "HOME": self._profile.name}
        self._process = subprocess.Popen(command, pass_fds=(to_read, to_write), env=environment,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self._next = 0
        self._session = None
        self._buffer = b""
        self._answers = {}
        self.complaints = []
        self.requests = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target,
                                  flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.call(domain + ".enable")

    def close(self):
        os.close(self._out)  # Which ends the browser.
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        self._profile.cleanup()

    def call(self, method, **parameters):
        """Sends one command and returns its result."""
        self._next += 1
        message = {"id": self._next, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while self._next not in self._answers:
            self._read(deadline)
        answer = self._answers.pop(self._next)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _read(self, deadline):
        if not select.select([self._in], [], [], max(0, deadline - time.monotonic()))[0]:
            raise TimeoutError(f"Chromium said nothing for {SECONDS} s")
        data = os.read(self._in, 1 << 20)
        if not data:
            raise RuntimeError(f"Chromium ended with status {self._process.wait()}")
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, method, event):
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.complaints.append(details.get("exception", details).get("description", details))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning"):
            self.complaints.append([a.get("value", a) for a in event["args"]])
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            self.complaints.append(event["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])

    def run(self, expression):
        """Evaluates JavaScript in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", details).get("description"))
        return answer["result"].get("value")

    def wait(self, expression):
        """Waits until the expression is true."""
        deadline = time.monotonic() + SECONDS
        while not self.run(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not true within {SECONDS} s: {expression}")
            time.sleep(0.02)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme):
        """The system's colours: light or dark."""
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url):
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        self.wait("document.readyState == 'complete'")

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key,
                      text=key if kind == "keyDown" and len(key) == 1 else "")

    def screenshot(self, path):
        """Writes what the window shows as PNG."""
        image = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(image))


def main():
    page, out, size = sys.argv[1:4]
    path, _, view = page.partition("#")
    browser = Browser(find())
    try:
        browser.size(*map(int, size.split("x")))
        browser.open(f"file://{os.path.abspath(path)}#{view}")
        browser.wait("document.documentElement.dataset.ready")
        browser.screenshot(out)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
