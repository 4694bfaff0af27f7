"""Steady traffic: so many requests a second, each on a connection of its own, and streams that run meanwhile; whatever
did not end as it should is kept."""

import threading
import time

from boxes import chat, lines_of
from wire import Wire, request


def tell(words):
    """A figure for docs/operation.md: `sh tests/package/run.sh operation` shows it."""
    print("figures:", words)


class Steady:
    """steady = Steady(url, per_second=40): requests until stop(); one in four is a pass."""

    def __init__(self, url, per_second=40, body=None):
        self.url = url
        self.body = body or chat(stream=False)
        self.pause = 1 / per_second
        self.wrong = []
        self.done = 0
        self.slowest_ms = 0.0
        self.sent = 0
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = []
        self.sender = threading.Thread(target=self.send)
        self.sender.start()

    def send(self):
        due = time.monotonic()
        while not self.over.is_set():
            self.sent += 1
            thread = threading.Thread(target=self.ask, args=(self.sent,))
            self.threads.append(thread)
            thread.start()
            due += self.pause
            self.over.wait(max(0, due - time.monotonic()))

    def ask(self, number):
        asks_pass = number % 4 == 0
        begun = time.monotonic()
        try:
            with Wire(self.url, timeout=60) as connection:
                connection.send(request("GET", "/api/tags") if asks_pass else self.body)
                answer = connection.read_answer()
                fine, why = answer.status == 200, (answer.status, answer.body[:200])
        except (OSError, AssertionError) as error:
            fine, why = False, repr(error)
        with self.lock:
            self.done += 1
            self.slowest_ms = max(self.slowest_ms, (time.monotonic() - begun) * 1000)
            if not fine:
                self.wrong.append((number, why))

    def wait_for(self, more):
        """Until so many more requests have ended."""
        target = self.done + more
        deadline = time.monotonic() + 60
        while self.done < target:
            assert time.monotonic() < deadline, f"{self.done} of {target} requests ended; wrong: {self.wrong[:5]}"
            time.sleep(0.01)

    def stop(self):
        """Ends the traffic; the number of requests, none of which may have gone wrong."""
        self.over.set()
        self.sender.join()
        for thread in self.threads:
            thread.join()
        assert not self.wrong, f"{len(self.wrong)} of {self.sent} requests went wrong: {self.wrong[:5]}"
        return self.sent


class Streams:
    """So many streamed chats; they have begun when this is made."""

    def __init__(self, url, count, **more):
        self.connections = [Wire(url, timeout=60) for _ in range(count)]
        for connection in self.connections:
            connection.send(chat(**more))
        self.heads = [connection.read_head() for connection in self.connections]
        assert all(head.status == 200 for head in self.heads)

    def finish(self):
        """Every one is read to its end, which must be whole."""
        for connection in self.connections:
            data = b""
            while chunk := connection.read_chunk():
                data += chunk
            assert lines_of(data)[-1]["done"] is True
            connection.close()
