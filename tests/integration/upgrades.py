"""A proxy whose program can be exchanged while it runs: an upgrade by SIGUSR2, and who serves then."""

import datetime
import os
import re
import shutil
import signal

from programs import Proxy, program_path, wait_for

NEW = re.compile(r'msg="the new process accepts[^"]*" pid=(\d+)')


class Upgradable(Proxy):
    """Starts a copy of the program, `program`, which a test may replace. finish() ends the last process."""

    def __init__(self, folder, flags, upstream, env=None, name="upgradable", **more):
        self.program = folder / f"{name}.program"
        shutil.copy(program_path("SHARED_OLLAMA"), self.program)
        self.followers = []
        super().__init__(folder, flags, upstream, env, name, **more)

    def start(self, argv):
        super().start([str(self.program), *argv[1:]])

    def replace(self, text=None):
        """Another program stands there now, as a package's upgrade does it: the same one again, or a script."""
        fresh = self.program.with_suffix(".fresh")
        if text is None:
            shutil.copy(program_path("SHARED_OLLAMA"), fresh)
        else:
            fresh.write_text(text)
            fresh.chmod(0o755)
        fresh.rename(self.program)

    def upgrade(self):
        """SIGUSR2 to the process that serves; the new one's pid, once it has taken over."""
        count = len(self.followers)
        os.kill(self.serving, signal.SIGUSR2)
        wait_for(lambda: len(NEW.findall(self.stderr())) > count, 30, f"an upgrade\n{self.stderr()}")
        self.followers.append(int(NEW.findall(self.stderr())[-1]))
        return self.followers[-1]

    @property
    def serving(self):
        """The pid of the process that accepts."""
        return self.followers[-1] if self.followers else self.pid

    def finish(self):
        if self.followers:
            self.wait_exit()
            self.check_counters(self.wait_idle())
        for pid in self.followers:
            if is_alive(pid):
                os.kill(pid, signal.SIGTERM)
        super().finish()
        for pid in self.followers:
            wait_for(lambda pid=pid: not is_alive(pid), 20, f"the end of {pid}")


def moment(server, words):
    """When it said so, in seconds."""
    line = next(line for line in server.stderr().splitlines() if words in line)
    return datetime.datetime.fromisoformat(re.match(r"ts=(\S+)", line)[1]).timestamp()


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


