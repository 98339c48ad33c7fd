#!/usr/bin/env python3
"""How long a sweep takes of which a part is asked about at a language model that takes its time.

    cargo build --release && python3 benches/opinions.py target/release/emm

The model is a stub on loopback that answers after --pause seconds. What is sure must not wait for it, the rest take as long as the
questions divided by the configured concurrency, and memory stays flat. Exits 1 where the whole takes a third longer than that.
"""

import argparse
import http.server
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time

import running

JD = """"10-19":
  name: Life
  categories:
    "11": { name: Health, keywords: [doctor, clinic] }
    "12": { name: Home, keywords: [rent, flat] }
"""


class Model(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, pause):
        self.pause, self.asked, self.now, self.most, self.lock = pause, 0, 0, 0, threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        model = self.server
        with model.lock:
            model.asked, model.now = model.asked + 1, model.now + 1
            model.most = max(model.most, model.now)
        time.sleep(model.pause)
        with model.lock:
            model.now -= 1
        text = json.dumps({"id": "12", "title": "", "description": ""})
        body = json.dumps({"message": {"content": text}, "done_reason": "stop", "prompt_eval_count": 300, "eval_count": 20}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emm", help="the program, a release build")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--doubtful", type=int, default=200)
    parser.add_argument("--pause", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, default=20)
    options = parser.parse_args()
    emm = str(pathlib.Path(options.emm).resolve(strict=True))
    work = pathlib.Path(tempfile.mkdtemp(prefix="emm-opinions-"))
    model = Model(options.pause)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    try:
        (work / "UNSORTED/12").mkdir(parents=True)
        (work / "vault").mkdir()
        (work / "jd.yaml").write_text(JD)
        for number in range(options.doubtful):
            text = f"The doctor of the clinic wrote about the rent of the flat, letter {number}.\n"
            (work / f"UNSORTED/letter {number}.txt").write_text(text)
        for number in range(options.items - options.doubtful):
            (work / f"UNSORTED/12/sure {number}.txt").write_text(f"A thing of the house, number {number}.\n")
        environment = {
            "EMM_LLM__PROVIDER": "ollama", "EMM_LLM__MODEL": "stub", "EMM_LLM__BASE_URL": f"http://127.0.0.1:{model.server_port}",
            "EMM_LLM__CONCURRENCY": str(options.concurrency), "EMM_INBOX__SETTLE_SECONDS": "0", "EMM_PARSERS__OCR": "false",
            "EMM_FILE_SYSTEM_AGENT__THRESHOLD": "0.6",
        }
        line = ["--home", str(work), "--role", "all", "--listen", "127.0.0.1:0"]
        with running.Emm(emm, line, environment, work / "log") as node:
            node.watch_memory()
            begun, sure = time.monotonic(), None
            while True:
                left = len(list((work / "UNSORTED/12").glob("*"))) if (work / "UNSORTED/12").exists() else 0
                if sure is None and left == 0:
                    sure = time.monotonic() - begun
                if left == 0 and model.asked >= options.doubtful and model.now == 0:
                    break
                if time.monotonic() - begun > 600:
                    raise SystemExit(f"{left} are left and {model.asked} were asked about after 600 s:\n{node.said()}")
                time.sleep(0.05)
            whole = time.monotonic() - begun
            peak = node.peak_kb / 1024
        ideal = model.asked * options.pause / options.concurrency
        print(f"{options.items} items, {model.asked} questions of {options.pause} s, {model.most} at once (of {options.concurrency})")
        print(f"what is sure was filed after {sure:.1f} s, all the rest decided after {whole:.1f} s; the questions alone take {ideal:.1f} s")
        print(f"peak memory {peak:.0f} MB")
        sys.exit(0 if whole <= sure + ideal * 4 / 3 else 1)
    finally:
        model.shutdown()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
