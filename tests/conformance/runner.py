"""Runs cases against programs and says in words what was seen: for the judge (test_conformance.py) and the table."""

import concurrent.futures
import dataclasses
import importlib
import pathlib
import queue
import typing

import fronts
import talk

FOLDER = pathlib.Path(__file__).resolve().parent


def load_by_file():
    """{file: cases}, in the order of the files' names and of the lists in them."""
    files = sorted(path.stem for path in (FOLDER / "cases").glob("[a-z]*.py"))
    return {file: importlib.import_module(f"cases.{file}").CASES for file in files}


def load_cases():
    cases = [case for some in load_by_file().values() for case in some]
    ids = [case.id for case in cases]
    twice = {name for name in ids if ids.count(name) > 1}
    assert not twice, f"two cases have one id: {twice}"
    return cases


@dataclasses.dataclass
class Seen:
    """What one program made of one case in one way."""

    talk: typing.Any
    received: list
    junk: list
    next_is_served: bool

    @property
    def forwarded(self):
        return sum(request.complete for request in self.received)

    @property
    def first(self):
        return self.talk.answers[0] if self.talk.answers else None

    def is_accepted(self, case):
        """Taken for sound: a request went upstream whole; an answer reached the client as a whole one of Ollama's."""
        if case.side == "request":
            return self.forwarded > 0
        return self.first is not None and self.first.whole and self.first.status != 502 and self.first.status != 504

    def words(self, case):
        """For a cell of the table."""
        first = self.first
        if first is None:
            outcome = {"silent": "no answer", "unreadable": "not HTTP/1"}.get(self.talk.end, "cut")
        else:
            outcome = str(first.status) + ("" if first.whole else " cut")
        if case.side == "answer":
            return outcome + ("" if self.next_is_served else ", next client hurt")
        partly = len(self.received) - self.forwarded
        if self.forwarded:
            count = f" ×{self.forwarded}" if self.forwarded > 1 else ""
            return f"forwarded{count}, {outcome}"
        return f"cut at the upstream, {outcome}" if partly else f"refused, {outcome}"


def run_one(front, case, way):
    """An answer is given on a connection that has served a request before, so that it can also be sent again."""
    if case.side == "answer":
        talk.next_client_is_served(front.port)
    front.upstream.begin(case.answer)
    said = talk.converse(front.port, case.bytes_for(way), case.methods_for(way), front.upstream.client_has_its_answer)
    front.upstream.answered.set()
    is_served = talk.next_client_is_served(front.port)
    front.upstream.settle()
    with front.upstream.lock:
        return Seen(said, list(front.upstream.received), list(front.upstream.junk), is_served)


def run_all(cases, folder, classes=None):
    """{(case id, way, program): Seen}, all programs side by side."""
    seen = {}
    todo = {}
    classes = classes or fronts.installed()
    with concurrent.futures.ThreadPoolExecutor(max_workers=sum(front.lanes for front in classes)) as pool:
        running = []
        for front_class in classes:
            todo[front_class] = queue.SimpleQueue()
            for case in cases:
                for way in case.ways:
                    todo[front_class].put((case, way))
            for lane in range(front_class.lanes):
                place = pathlib.Path(folder) / f"{front_class.name}-{lane}"
                place.mkdir()
                running.append(pool.submit(run_lane, front_class, place, todo[front_class], seen))
        for one in running:
            one.result()
    return seen


def run_lane(front_class, folder, todo, seen):
    front = front_class(folder)
    try:
        while True:
            try:
                case, way = todo.get_nowait()
            except queue.Empty:
                return
            seen[case.id, way, front.name] = run_one(front, case, way)
    finally:
        front.finish()


def judge(case, way, seen):
    """Fails where what shared-ollama did is not what the case asks for."""
    said = seen.talk
    first = seen.first
    statuses = case.status if isinstance(case.status, tuple) else (case.status,)
    got = first.status if first else None
    for piece in case.never:
        assert piece not in said.seen, f"the client saw {piece!r}: {said.seen!r}"
    assert got in statuses, f"status {got}, not {case.status}; {said.end}; {said.seen[:300]!r}"
    if case.whole is None:
        pass
    elif case.whole:
        assert first is None or first.whole, f"the answer was cut: {said.seen[-300:]!r}"
    else:
        assert got == 502 or not first.whole, f"a broken answer was passed on as whole: {said.seen[-300:]!r}"
    assert said.end not in ("unreadable", "out of step", "silent"), (
        f"the client's connection: {said.end}; {said.seen[-300:]!r}"
    )
    if case.forwarded is not None:
        assert seen.forwarded == case.forwarded, f"{seen.forwarded} requests went upstream, not {case.forwarded}"
        assert seen.junk == [], f"stray bytes went upstream: {seen.junk}"
    if case.untouched:
        assert seen.received == [], f"this went upstream: {seen.received[0].raw!r}"
    if case.side == "answer":
        assert len(seen.received) <= case.tries.get(way, 1), f"sent {len(seen.received)} times"
    if case.connection:
        is_open = bool(said.in_step)
        assert is_open == (case.connection == "open"), f"the connection is not {case.connection}: {said.end}"
    for check in case.upstream:
        assert seen.received, "nothing reached the upstream"
        check(seen.received[0])
    for check in case.client:
        check(first)
    for request in seen.received:
        assert request.framing != "ambiguous", f"forwarded with two lengths: {request.raw!r}"
    assert seen.next_is_served, "the next client did not get its answer"


def stricter(case, way, seen):
    """The programs that refused what we took, or that forwarded fewer requests."""
    ours = seen[case.id, way, "shared-ollama"]
    if not ours.is_accepted(case):
        return []
    others = [(name, seen[case.id, way, name]) for name in ("nginx", "haproxy") if (case.id, way, name) in seen]
    return [
        name
        for name, other in others
        if not other.is_accepted(case) or (case.side == "request" and other.forwarded < ours.forwarded)
    ]
