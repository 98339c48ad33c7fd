#!/usr/bin/env python3
"""How soon a process of one role is ready where Redis answers, and what it weighs.

    cargo build --release && python3 benches/roles.py target/release/emm

Needs redis-server. Each role by itself, on a home of its own with the state and the cache on that server and the store in a
folder that all share. Exits 1 over a bar: ready within 100 ms, 25 MB at rest.
"""

import argparse
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import running


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as stream:
            stream.sendall(b"PING\r\n")
            return stream.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def measure(options, work, environment, role):
    """Milliseconds until ready and MB at rest, the medians of some starts."""
    rows = []
    for number in range(options.rounds):
        home = work / f"{role}-{number}"
        home.mkdir()
        with running.Node(options.emm, home, (), environment, work / "node.log", role) as node:
            ready = node.until(node.ready, 60)
            time.sleep(options.rest)
            rows.append((ready * 1000, running.memory_kb(node.pid) / 1024))
    return [statistics.median(column) for column in zip(*rows)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emm", help="the program, a release build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rest", type=float, default=3, help="seconds until memory at rest is read")
    options = parser.parse_args()
    options.emm = str(pathlib.Path(options.emm).resolve(strict=True))
    work = pathlib.Path(tempfile.mkdtemp(prefix="emm-roles-"))
    port = free_port()
    redis = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(work)],
        stdout=subprocess.DEVNULL,
    )
    try:
        while not answers(port):
            time.sleep(0.01)
        # The first start makes the structure, the vault and the inbox that the others find.
        home = work / "all"
        home.mkdir()
        with running.Node(options.emm, home, (), {}, work / "node.log") as node:
            node.until(node.ready, 60)
        environment = {
            "EMM_STATE__BACKEND": "redis",
            "EMM_CACHE__BACKEND": "redis",
            "EMM_REDIS__PORT": str(port),
            **{f"EMM_PATHS__{key.upper()}": str(home / name) for key, name in PATHS.items()},
        }
        roles = [row["role"] for row in json.loads(subprocess.check_output([options.emm, "roles", "--json"]))]
        found = {role: measure(options, work, environment, role) for role in roles}
    finally:
        redis.kill()
        redis.wait()
        shutil.rmtree(work, ignore_errors=True)
    print(f"median of {options.rounds} starts")
    running.table([[role, f"{ready:.0f}", f"{rest:.1f}"] for role, (ready, rest) in found.items()], ["role", "ready ms", "at rest MB"])
    print()
    return running.judge(
        [(f"{role} ready", ready, 100, "ms") for role, (ready, _) in found.items()]
        + [(f"{role} at rest", rest, 25, "MB") for role, (_, rest) in found.items()]
    )


PATHS = {"vault": "vault", "inbox": "UNSORTED", "jd": "jd.yaml", "store": "store"}

if __name__ == "__main__":
    sys.exit(main())
