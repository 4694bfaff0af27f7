"""A headless Chromium, driven by the DevTools protocol over a pipe: messages are JSON that ends in a NUL."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

from programs import POLL_SECONDS, wait_for

NAMES = ["chromium", "chromium-browser", "google-chrome"]
FLAGS = [
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--mute-audio",
    "--hide-scrollbars", "--no-sandbox", "--no-proxy-server",
]  # fmt: skip
# What a key press needs to be told.
KEYS = {"Tab": ("\t", 9, None), "Enter": ("Enter", 13, "\r"), " ": ("Space", 32, " "), "Escape": ("Escape", 27, None)}


def find_browser():
    """Its path, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """The process. It looks up no name and asks nobody but the pages' own server."""

    def __init__(self, path):
        self.profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        to_read, to_write = os.pipe(), os.pipe()
        # the browser reads its descriptor 3 and writes 4; dash knows descriptors of one digit only
        script = f'exec 3<&{to_read[0]} 4>&{to_write[1]}; exec "$0" "$@"'
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", script, path, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"],
            pass_fds=[to_read[0], to_write[1]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read[0])
        os.close(to_write[1])
        self.sender, self.receiver = to_read[1], to_write[0]
        os.set_blocking(self.receiver, False)
        self.count, self.text = 0, b""
        self.answers, self.events = {}, []

    def receive(self):
        try:
            self.text += os.read(self.receiver, 1 << 20)
        except BlockingIOError:
            time.sleep(POLL_SECONDS)
        *messages, self.text = self.text.split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.events.append(message)

    def call(self, method, session=None, timeout=60, **parameters):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.sender, data) :]
        deadline = time.monotonic() + timeout
        while self.count not in self.answers:
            assert self.process.poll() is None, "the browser ended"
            assert time.monotonic() < deadline, f"{method} was not answered in {timeout} s"
            self.receive()
        answer = self.answers.pop(self.count)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def page(self, url, **options):
        return Page(self, url, **options)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.sender)
        os.close(self.receiver)
        self.profile.cleanup()


class Page:
    """One tab with its own cookies, as it looks on a screen of this size."""

    def __init__(self, browser, url, width=1200, height=900, dark=False, still=True, headers=None):
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Log", "Network", "Accessibility":
            self.call(f"{domain}.enable")
        if headers:
            self.call("Network.setExtraHTTPHeaders", headers=headers)
        self.width = width
        self.size(width, height)
        self.call(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
            ],
        )
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def run(self, expression):
        """The value of a JavaScript expression; a promise is awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def wait(self, expression, timeout=30.0):
        return wait_for(lambda: self.run(expression), timeout, expression)

    def text(self, selector="body"):
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText")

    def wait_text(self, words, selector="body", timeout=30.0):
        """innerText of what the selector names has these words."""
        wait_for(lambda: words in (self.text(selector) or ""), timeout, f"{words!r} in {selector}")

    def click(self, selector):
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def press(self, key, shift=False):
        code, number, text = KEYS[key]
        more = {"text": text} if text else {}
        about = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **about, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def complaints(self):
        """Errors and warnings of the console, of scripts and of the policy, and requests to anybody else."""
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            method, parameters = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                found.append(parameters["exceptionDetails"])
            elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
                found.append(parameters["args"])
            elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                found.append({key: parameters["entry"].get(key) for key in ("source", "text", "url")})
        return found

    def asked(self):
        """Every URL that was requested."""
        return [
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event.get("sessionId") == self.session and event["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path, whole=False):
        if whole:
            self.size(self.run("innerWidth"), max(600, self.run("document.documentElement.scrollHeight")))
            self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)
