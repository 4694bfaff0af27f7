"""The block of memory through which a test commands the fault library in the program under test (preload.h)."""

import mmap
import os
import pathlib
import struct

OFF, RANDOM, CALL, ALLOCATION = range(4)

# enum fault_mode, variant, nth, threshold, seen, fired, call, fault
LAYOUT = struct.Struct("<IIQQQQ32s32s")


def library():
    """FAULT_LIBRARY, else the one that was built beside the program under test."""
    given = os.environ.get("FAULT_LIBRARY")
    program = pathlib.Path(os.environ.get("SHARED_OLLAMA", "/"))
    return pathlib.Path(given) if given else program.parent.parent / "tests" / "faults" / "fault-preload.so"


class Control:
    """One program's faults: off until told otherwise."""

    def __init__(self, folder, seed=1, rates=None):
        self.path = pathlib.Path(folder) / "fault-control"
        self.path.write_bytes(bytes(LAYOUT.size))
        self.seed = seed
        self.rates = rates or {}
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), LAYOUT.size)

    def env(self):
        """For the program under test."""
        return {
            "LD_PRELOAD": str(library()),
            "FAULT_PROGRAM": "shared-ollama",
            "FAULT_CONTROL": str(self.path),
            "FAULT_SEED": str(self.seed),
            "FAULT_RATES": ",".join(f"{kind}={rate}" for kind, rate in self.rates.items()),
        }

    def _set(self, mode, nth=0, variant=0, threshold=0):
        # the mode last: what it means must be there when it is seen
        self.memory[:] = LAYOUT.pack(OFF, variant, nth, threshold, 0, 0, b"", b"")
        self.memory[:4] = struct.pack("<I", mode)

    def random(self):
        """By seed and rates, until off()."""
        self._set(RANDOM)

    def fail_call(self, nth, variant=0):
        """The nth system call from now on fails, once."""
        self._set(CALL, nth, variant)

    def fail_allocation(self, nth, threshold):
        """The nth allocation of at least `threshold` bytes from now on fails, once."""
        self._set(ALLOCATION, nth, threshold=threshold)

    def off(self):
        """No more faults. Returns how many there were and what the latest was."""
        self.memory[:4] = struct.pack("<I", OFF)
        return self.fired()

    def fired(self):
        _, _, _, _, _, fired, call, fault = LAYOUT.unpack(self.memory)
        return fired, f"{text(call)} {text(fault)}"

    def seen(self):
        return LAYOUT.unpack(self.memory)[4]


def text(raw):
    return raw.split(b"\0")[0].decode()
