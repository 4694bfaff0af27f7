"""How far the measurements are: a bar on a terminal, else a line a scenario."""

import shutil
import sys
import time

BAR = 24
SECONDS_PER_MINUTE = 60


class Progress:
    def __init__(self, total, stream=sys.stderr):
        self.total = total
        self.done = 0
        self.stream = stream
        self.begun = time.monotonic()
        self.is_terminal = stream.isatty()
        self.last = None

    def _left(self):
        """By the runs that are over; they do not all take as long."""
        if not self.done:
            return ""
        left = (time.monotonic() - self.begun) / self.done * (self.total - self.done)
        return f"{int(left // SECONDS_PER_MINUTE)}:{int(left % SECONDS_PER_MINUTE):02d} left"

    def begin(self, round_number, scenario, target):
        if self.is_terminal:
            filled = BAR * self.done // max(self.total, 1)
            text = f"[{'#' * filled}{'.' * (BAR - filled)}] {self.done}/{self.total} {self._left()} round {round_number} {scenario}: {target}"
            self.stream.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
            self.stream.flush()
        elif self.last != (round_number, scenario):
            self.last = (round_number, scenario)
            self.say(f"round {round_number}: {scenario} ({self.done}/{self.total})")

    def end(self):
        self.done += 1

    def say(self, text):
        if self.is_terminal:
            self.stream.write("\r\x1b[K")
        print(text, file=self.stream, flush=True)
