"""What the benches share: a running emm that is always stopped again, its memory, and calls of its tools."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import threading
import time


def tree(pid):
    """A process and all its descendants that are alive."""
    found, left = [], [pid]
    while left:
        pid = left.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                children = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text()
                left.extend(int(child) for child in children.split())
        except OSError:
            pass
    return found


def memory_kb(pid, field="VmRSS"):
    """A line of /proc/PID/status in KB; 0 if the process is gone."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def file_system_of(path):
    """The type of the file system that a path lies on, from /proc/mounts."""
    path, best = os.path.realpath(path), ("", "?")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        point, kind = line.split()[1:3]
        point = point.replace("\\040", " ")
        if (path + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1]


class Emm:
    """A started emm in a process group of its own. Used with `with`: it never outlives the block."""

    def __init__(self, program, arguments, environment=None, log=None):
        self.log_path = log
        self.log = open(log, "wb") if log else None
        self.peak_kb = self.peak_tree_kb = 0
        self.exit_code = None
        clean = {key: value for key, value in os.environ.items() if not key.startswith("EMM_")}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self.log or subprocess.DEVNULL,
            stderr=self.log or subprocess.DEVNULL,
            env={**clean, "NO_COLOR": "1", **(environment or {})},
            start_new_session=True,
        )
        self.pid = self.process.pid
        self.watching = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(limit=5)
        # What it started and left behind is in its group; the group's id is its own.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        if self.log:
            self.log.close()

    def watch_memory(self, every=0.05):
        """From now on the peak is taken: of emm itself, and of emm with its children."""

        def look():
            while self.process.poll() is None:
                self.peak_kb = max(self.peak_kb, memory_kb(self.pid, "VmHWM"))
                self.peak_tree_kb = max(self.peak_tree_kb, sum(memory_kb(pid) for pid in tree(self.pid)))
                time.sleep(every)

        self.watching = threading.Thread(target=look, daemon=True)
        self.watching.start()

    def wait(self, limit):
        """Seconds from its start to its end; an error after `limit` seconds."""
        try:
            self.exit_code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"emm did not end within {limit} s:\n{self.said()}")
        took = time.monotonic() - self.began
        if self.watching:
            self.watching.join()
        return took

    def stop(self, limit=30):
        """Asks it to leave, and kills it if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()
        self.exit_code = self.process.returncode

    def said(self, characters=3000):
        """The end of what it said."""
        return pathlib.Path(self.log_path).read_text(errors="replace")[-characters:] if self.log_path else ""


class Node(Emm):
    """A node on a home, with every role or with these."""

    def __init__(self, program, home, arguments=(), environment=None, log=None, roles="all"):
        self.home = pathlib.Path(home)
        self.address = None
        # What an earlier node announced must not be taken for this one's.
        (self.home / "node.lock").unlink(missing_ok=True)
        arguments = ["--home", str(home), *arguments, "--role", roles, "--listen", "127.0.0.1:0"]
        super().__init__(program, arguments, environment, log)

    def until(self, what, limit, pause=0.001):
        """Seconds from the start until `what` answers something true; an error if it ends first, or after `limit`."""
        while time.monotonic() - self.began < limit:
            if what():
                return time.monotonic() - self.began
            if self.process.poll() is not None:
                raise SystemExit(f"emm ended with {self.process.returncode}:\n{self.said()}")
            time.sleep(pause)
        raise SystemExit(f"not within {limit} s: {what.__name__}\n{self.said()}")

    def announced(self):
        """Whether it told its address in the lock of the home; before that the lock names none."""
        if not self.address:
            try:
                running = json.loads((self.home / "node.lock").read_text())
            except (OSError, ValueError):
                return False
            if running.get("pid") == self.pid:
                self.address = running.get("address", "").removeprefix("http://")
        return bool(self.address)

    def ready(self):
        """Whether `/readyz` answers 200."""
        return self.announced() and self.request("GET", "/readyz")[0] == 200

    def request(self, method, path, body=None, limit=30):
        """Status and text of one request; status 0 if nothing answered."""
        connection = http.client.HTTPConnection(self.address, timeout=limit)
        try:
            headers = {"Content-Type": "application/json"}
            if body is not None:
                headers["Authorization"] = "Bearer " + (self.home / "token").read_text().strip()
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def call(self, tool, request, limit=600):
        """The reply of a tool, or nothing if it failed."""
        status, text = self.request("POST", "/" + tool, json.dumps(request), limit)
        return json.loads(text) if status == 200 else None


def table(rows, head):
    """Prints rows under a head, in columns."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def judge(bars):
    """Prints each bar; 1 if one is missed, for the exit code. A bar: what, value, limit, unit."""
    missed = False
    for what, value, limit, unit in bars:
        well = value <= limit
        missed |= not well
        print(f"{'ok    ' if well else 'MISSED'}  {what}: {value:.2f} {unit}, at most {limit:g} {unit}")
    return 1 if missed else 0
