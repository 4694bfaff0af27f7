"""A program in a terminal of its own: keys go in, the screen can be looked at. Understands what ncurses sends for TERM=vt100-like
terminals as far as the tests need it: it asks for whole new screens and searches the text of all that came."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from programs import clean_environment

ESCAPES = re.compile(rb"\x1b(\[[?0-9;]*[A-Za-z]|\([A-Z0-9]|[=>78M])|\x0f|\x0e")
READ_BYTES = 65536


class Terminal:
    def __init__(self, argv, columns=120, rows=30, env=None):
        # dumb in colours and able to address the cursor: what is drawn is text and little else
        environment = clean_environment({"TERM": "xterm", "LC_ALL": "C.UTF-8"} | (env or {}))
        # the terminal's size counts, not what the surroundings of the test say of theirs
        environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # the size is there before ncurses looks
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(argv[0], argv, environment)
        self.raw = b""
        self.mark = 0
        self.status = None

    def resize(self, columns, rows):
        """The kernel tells the program (SIGWINCH)."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        """What comes from now on is the screen after these keys."""
        self.mark = len(self.raw)
        os.write(self.fd, keys.encode())

    def text(self):
        return ESCAPES.sub(b" ", self.raw[self.mark :]).decode(errors="replace")

    def read(self, seconds):
        """False: the program has closed it."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, READ_BYTES)
        except OSError:  # Linux: the other side is closed
            return False
        self.raw += data
        return bool(data)

    def wait_for(self, part, timeout=15.0):
        """Until the text since the last press() has it; returns the text."""
        deadline = time.monotonic() + timeout
        while part not in self.text():
            assert time.monotonic() < deadline, f"{part!r} did not come; the screen: {self.text()!r}"
            assert self.read(0.1), f"it ended before {part!r}; the screen: {self.text()!r}"
        return self.text()

    def wait_exit(self, timeout=15.0):
        """The exit code."""
        deadline = time.monotonic() + timeout
        while self.read(0.1):
            assert time.monotonic() < deadline, f"it did not end; the screen: {self.text()!r}"
        self.status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(self.status)

    def close(self):
        """Ends the program if a test left it behind."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
