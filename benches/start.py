#!/usr/bin/env python3
"""How soon `emm --role all` is ready and knows its vault, and what it weighs.

    cargo build --release && python3 benches/start.py target/release/emm --vault-data DIR

On an empty home: ready within 100 ms, and 40 MB at rest. With --vault-data (a folder with `jd.yaml` and `items.jsonl`,
each line `{"title", "text", "label"}`) also over a vault of 20,000 notes: ready within 2 s on the first start, and
caught up within 2 s on the second. Caught up means that the vault was read and that the classifier answers with all
that its notes taught. Exits 1 over a bar.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import sys
import tempfile
import time

import running

SAID = "knowledge caught up"


def empty_home(options, work):
    """Starts on a home that is not there yet. Milliseconds until ready, MB at rest, MB with children."""
    with running.Node(options.emm, work / "home", log=work / "node.log") as node:
        ready = node.until(node.ready, options.limit)
        time.sleep(options.rest)
        alone = running.memory_kb(node.pid) / 1024
        family = sum(running.memory_kb(pid) for pid in running.tree(node.pid)) / 1024
    return ready * 1000, alone, family


def places(jd):
    """Area and category folders of a structure that is written as JSON on lines, as those of the data sets are."""
    folders, area = {}, ""
    for match in re.finditer(r'"(\d+-\d+)":\s*\{\s*name:\s*"([^"]*)"|"(\d+)":\s*"([^"]*)"', jd):
        if match[1]:
            area = f"{match[1]} {match[2]}"
        else:
            folders[match[3]] = f"{area}/{match[3]} {match[4]}"
    return folders


def make_vault(options, vault):
    """Writes notes into the folders of their labels, as their owner would have. How many there are."""
    folders = places((options.vault_data / "jd.yaml").read_text())
    vault.mkdir(parents=True)
    count = 0
    with open(options.vault_data / "items.jsonl", encoding="utf-8") as lines:
        for line in lines:
            if count == options.notes:
                break
            item = json.loads(line)
            folder = vault / folders[item["label"]]
            if count < len(folders) or not folder.exists():
                folder.mkdir(parents=True, exist_ok=True)
            name = re.sub(r'[\\/:*?"<>|#^\[\]\x00-\x1f]', " ", item["title"]).strip(" .")[:80]
            (folder / f"{name} {count}.md").write_text(item["text"], encoding="utf-8")
            count += 1
    os.sync()
    return count


def knows(node):
    """Whether the vault was read, and the classifier has learnt all that was taught by it."""
    overview = node.call("file-system/overview", {})
    labels = overview and overview.get("labels")
    if labels is None:
        return False
    structure = node.call("jd-classifier/get_structure", {})
    if structure is None:
        return False
    request = {"structure": structure["hash"], "name": "a.md", "title": "a", "text": "a", "kind": "markdown"}
    return node.call("content-classifier/classify", {**request, "at_least": labels}) is not None


def over_vault(options, work, vault):
    """One start over the vault. Seconds until ready, until the log says so (or nothing), until caught up; MB then."""
    home = work / "home"
    arguments = ["--vault", str(vault), "--jd", str(options.vault_data / "jd.yaml")]
    log = work / f"node-{time.monotonic_ns()}.log"
    with running.Node(options.emm, home, arguments, {"EMM_LOG__LEVEL": "info"}, log) as node:
        node.watch_memory()
        ready = node.until(node.ready, options.limit)
        said = []

        def caught_up():
            if not said and SAID in log.read_text(errors="replace"):
                said.append(time.monotonic() - node.began)
            return knows(node)

        caught = node.until(caught_up, options.limit, pause=0.02)
        # A line that comes a moment after the answers do counts as well.
        if not said and SAID in log.read_text(errors="replace"):
            said.append(time.monotonic() - node.began)
        overview = node.call("file-system/overview", {}) or {}
        node.stop()
        if node.exit_code != 0:
            print(f"note: the node left with {node.exit_code}:\n{node.said(500)}")
    return ready, said[0] if said else None, caught, node.peak_kb / 1024, overview.get("indexed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emm", help="the program, a release build")
    parser.add_argument("--rounds", type=int, default=5, help="starts on an empty home")
    parser.add_argument("--rest", type=float, default=5, help="seconds until memory at rest is read")
    parser.add_argument("--vault-data", type=pathlib.Path, help="a folder with jd.yaml and items.jsonl")
    parser.add_argument("--notes", type=int, default=20000)
    parser.add_argument("--folder", default="target", help="where homes and the vault are made")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which a start is given up")
    options = parser.parse_args()
    options.emm = str(pathlib.Path(options.emm).resolve(strict=True))
    options.vault_data = options.vault_data and options.vault_data.resolve(strict=True)
    os.makedirs(options.folder, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="emm-start-", dir=options.folder)).resolve()
    try:
        return measure(options, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def measure(options, work):
    rounds = []
    for number in range(options.rounds):
        (work / f"empty-{number}").mkdir()
        rounds.append(empty_home(options, work / f"empty-{number}"))
    ready, alone, family = (statistics.median(column) for column in zip(*rounds))
    print(f"empty home, median of {options.rounds}, on {running.file_system_of(work)}")
    running.table([[f"{ready:.0f}", f"{alone:.1f}", f"{family:.1f}"]], ["ready ms", "at rest MB", "with children MB"])
    print(flush=True)
    bars = [("ready on an empty home", ready, 100, "ms"), ("memory at rest", alone, 40, "MB")]

    if options.vault_data:
        vault = work / "vault"
        count = make_vault(options, vault)
        rows = []
        for name in ("first", "second", "third"):
            ready, said, caught, peak, indexed = over_vault(options, work, vault)
            told = "-" if said is None else f"{said:.2f}"
            rows.append([name, f"{ready:.2f}", told, f"{caught:.2f}", f"{peak:.0f}", indexed])
            if name == "first":
                bars.append((f"ready on the first start over {count} notes", ready, 2, "s"))
            else:
                bars.append((f"caught up on the {name} start", caught, 2, "s"))
        print(f"a vault of {count} notes")
        running.table(rows, ["start", "ready s", "log line s", "caught up s", "peak MB", "indexed"])
        print()
    return running.judge(bars)


if __name__ == "__main__":
    sys.exit(main())
