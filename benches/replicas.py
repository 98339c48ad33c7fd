#!/usr/bin/env python3
"""How many items a second are filed into a bucket by one, two and four replicas of file-system.

    cargo build --release && .ci/test && target/servers/bin/python3 benches/replicas.py target/release/emm

Needs redis-server, and what .ci/test installs into target/servers (SeaweedFS, boto3). Every role is a process of its own; vault, inbox
and store are in one bucket, state and cache in one Redis. Each round files new items by one sweep.
"""

import argparse
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
import running

TOKEN = "a token of the bench"
KEY, SECRET, BUCKET = "bench", "bench-secret", "bench"
ROLES = ["jd-classifier", "content-classifier", "file-system-agent"]
JD = '"10-19":\n  name: Life\n  categories:\n    "11": Me\n    "12": Home\n'


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, look, limit=60):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            if look():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"this did not come about: {what}")


def answer(url, body=None):
    head = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, head), timeout=600) as reply:
        return json.loads(reply.read() or b"null") if body is not None else reply.status


def servers(work, processes):
    """SeaweedFS and Redis on free ports of loopback."""
    weed, redis = pathlib.Path(sys.executable).parent / "weed", free_port()
    (work / "s3").mkdir()
    identity = {"name": KEY, "actions": ["Admin", "Read", "Write", "List"], "credentials": [{"accessKey": KEY, "secretKey": SECRET}]}
    (work / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = {name: free_port() for name in ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
                                            "filer.port.grpc", "s3.port", "s3.port.grpc"]}
    flags = [f"-{name}={port}" for name, port in ports.items()]
    flags += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=200", "-master.volumeSizeLimitMB=64"]
    flags += ["-master.telemetry=false", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={work / 's3'}", f"-s3.config={work / 's3.json'}"]
    flags += [f"-filer.localSocket={work / 'f'}", f"-s3.localSocket={work / 's'}"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes.append(subprocess.Popen([weed, "server", "-s3", *flags], **quiet))
    line = ["redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--dir", str(work), "--appendonly", "yes", "--save", ""]
    processes.append(subprocess.Popen(line, **quiet))
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{ports['s3.port']}", aws_access_key_id=KEY, aws_secret_access_key=SECRET,
                      region_name="us-east-1")

    def made():
        try:
            s3.create_bucket(Bucket=BUCKET)
            return True
        except Exception:  # not there yet
            return False

    until("SeaweedFS makes a bucket", made)
    return s3, ports["s3.port"], redis


def measure(options, work, replicas, s3, s3_port, redis_port):
    """Items a second, the best and the median of the rounds."""
    place = work / f"with-{replicas}"
    place.mkdir()
    (place / "jd.yaml").write_text(JD)
    roles = ROLES + ["file-system"] * replicas
    ports = [free_port() for _ in roles]
    addresses = {}
    for role, port in zip(roles, ports):
        addresses.setdefault(role, []).append(f"http://127.0.0.1:{port}")
    name = f"with-{replicas}"
    environment = {
        "EMM_NODE__TOKEN": TOKEN, "EMM_STATE__BACKEND": "redis", "EMM_CACHE__BACKEND": "redis", "EMM_REDIS__PORT": str(redis_port),
        "EMM_REDIS__PREFIX": name, "EMM_STORE__BACKEND": "s3", "EMM_STORE__S3__BUCKET": BUCKET, "EMM_STORE__S3__PREFIX": f"{name}/store",
        "EMM_STORE__S3__ENDPOINT": f"http://127.0.0.1:{s3_port}", "EMM_STORE__S3__KEY_ID": KEY, "EMM_STORE__S3__SECRET": SECRET,
        "EMM_VAULT__BACKEND": "s3", "EMM_VAULT__S3__PREFIX": f"{name}/vault", "EMM_VAULT__S3__INBOX": f"{name}/inbox",
        "EMM_FILE_SYSTEM_AGENT__SWEEPS": "false", "EMM_PARSERS__OCR": "false", "EMM_LOG__LEVEL": "warn",
    }
    peers = "\n".join(f'"{role}" = {json.dumps(urls)}' for role, urls in addresses.items())
    nodes, rates = [], []
    try:
        for number, (role, port) in enumerate(zip(roles, ports)):
            home = place / f"home-{number}"
            home.mkdir()
            (home / "emm.toml").write_text(f"[paths]\njd = {json.dumps(str(place / 'jd.yaml'))}\n[peers.addresses]\n{peers}\n")
            line = ["--home", str(home), "--role", role, "--listen", f"127.0.0.1:{port}"]
            nodes.append(running.Emm(options.emm, line, environment, home / "log"))
        for port in ports:
            until(f"{port} is ready", lambda: answer(f"http://127.0.0.1:{port}/readyz") == 200)
        for number in range(options.rounds):
            for item in range(options.items):
                kind, folder = (("md", "11"), ("txt", "12"))[item % 2]
                text = f"# Item {item} of round {number}\n\n" + "some words of a letter " * 80
                s3.put_object(Bucket=BUCKET, Key=f"{name}/inbox/{folder}/item {number} {item}.{kind}", Body=text.encode())
            sweep = {"settled": True}
            while True:
                try:
                    begun = time.monotonic()
                    swept = answer(addresses["file-system-agent"][0] + "/file-system-agent/sweep", sweep)
                    break
                except urllib.error.HTTPError as error:  # the vault is being read for the first time
                    if error.code != 503:
                        raise SystemExit(error.read().decode())
                    time.sleep(0.2)
            took = time.monotonic() - begun
            if len(swept["filed"]) != options.items:
                raise SystemExit(f"{len(swept['filed'])} of {options.items} were filed: {swept['failed'][:3]}")
            rates.append(options.items / took)
    finally:
        for node in nodes:
            node.stop(limit=10)
    return max(rates), sorted(rates)[len(rates) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emm", help="the program, a release build")
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    options.emm = str(pathlib.Path(options.emm).resolve(strict=True))
    work, processes = pathlib.Path(tempfile.mkdtemp(prefix="emm-replicas-")), []
    try:
        s3, s3_port, redis_port = servers(work, processes)
        print("replicas  items/s best  items/s median")
        for replicas in options.replicas:
            best, median = measure(options, work, replicas, s3, s3_port, redis_port)
            print(f"{replicas:8}  {best:12.1f}  {median:14.1f}", flush=True)
    finally:
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
