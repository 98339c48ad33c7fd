#!/usr/bin/env python3
"""Filing 5,000 Markdown files with all fsyncs, beside a plain loop that copies them with fsync of file and folder.

    cargo build --release && python3 benches/filing.py target/release/emm

Both work in turns on the same file system, on fresh folders; only `emm sweep` and the loop are timed. Exits 1 if emm
takes more than three times as long, or more than 150 MB.

An ext4 without a journal passes over inodes that were deleted within the last minutes, one by one: what creates three
files then waits three times as long. Give --folder on a file system on which little was deleted just now.
"""

import argparse
import os
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import time

import running

SUBJECTS = {
    "11": ("Identity", "passport certificate citizenship registry embassy"),
    "12": ("Health", "doctor hospital vaccination prescription diagnosis"),
    "13": ("Learning", "course lecture exam diploma university"),
    "21": ("Bank", "account transfer balance statement deposit"),
    "22": ("Insurance", "policy premium claim liability coverage"),
    "23": ("Taxes", "income deduction assessment refund declaration"),
    "31": ("Kitchen", "recipe oven flour onion butter"),
    "32": ("Garden", "seedling compost pruning tomato greenhouse"),
    "41": ("Trains", "timetable platform railway locomotive carriage"),
    "42": ("Sailing", "harbour anchor keel rigging tide"),
}
FILLER = "the of and to in a is that for it as was with be by on not he this are or his from at which but have an had".split()


def structure():
    """A jd.yaml whose categories have no ids, so that files go into the category folders."""
    lines = []
    for area in sorted({code[0] for code in SUBJECTS}):
        lines += [f'"{area}0-{area}9":', f"  name: Area {area}", "  categories:"]
        for code, (name, words) in SUBJECTS.items():
            if code[0] == area:
                keywords = ", ".join(words.split())
                lines += [f'    "{code}":', f"      name: {name}", f"      keywords: [{keywords}]"]
    return "\n".join(lines) + "\n"


def document(number, size):
    """The name, the category and the text of a document: words of its subject among words of no meaning."""
    dice = random.Random(number)
    code = sorted(SUBJECTS)[number % len(SUBJECTS)]
    name, words = SUBJECTS[code]
    words, text, bytes_so_far = words.split(), [f"# {name} paper {number}\n"], 0
    while bytes_so_far < size:
        word = dice.choice(words) if dice.random() < 0.2 else dice.choice(FILLER)
        text.append(word + ("\n" if dice.random() < 0.08 else " "))
        bytes_so_far += len(text[-1])
    return f"{name.lower()}-paper-{number:05}.md", code, "".join(text)[:size].rstrip() + "\n"


def write(folder, options, hinted):
    """The documents as files. With `hinted`, in sub-folders that name their category."""
    for number in range(options.files):
        name, code, text = document(number, options.bytes)
        place = folder / code / name if hinted else folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    os.sync()


def copy_loop(source, target):
    """Each file is read, written, and made durable with its folder, one after the other. Seconds."""
    names = sorted(os.listdir(source))
    began = time.monotonic()
    folder = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    for name in names:
        reading = os.open(os.path.join(source, name), os.O_RDONLY)
        content = os.read(reading, 1 << 20)
        os.close(reading)
        writing = os.open(os.path.join(target, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(writing, content)
        os.fsync(writing)
        os.close(writing)
        os.fsync(folder)
    os.close(folder)
    return time.monotonic() - began


def environment(options):
    """What is written beforehand is complete; by words, the best place is taken however sure emm is."""
    values = {"EMM_INBOX__SETTLE_SECONDS": "0", "EMM_LOG__LEVEL": "warn"}
    return values if options.by == "folder" else {**values, "EMM_FILE_SYSTEM_AGENT__THRESHOLD": "0.0"}


def sweep(options, work):
    """One sweep on a fresh home. Seconds, KB of emm, KB of emm with its children."""
    home = work / "home"
    home.mkdir(parents=True)
    (home / "jd.yaml").write_text(structure())
    with running.Node(options.emm, home, environment=environment(options), log=work / "made.log") as node:
        # A home is made by its first node.
        node.until(node.ready, 60)
    write(home / "UNSORTED", options, hinted=options.by == "folder")
    arguments = ["--home", str(home), "--quiet", "sweep"]
    with running.Emm(options.emm, arguments, environment(options), log=work / "sweep.log") as emm:
        emm.watch_memory()
        seconds = emm.wait(options.limit)
        if emm.exit_code != 0:
            raise SystemExit(f"emm sweep ended with {emm.exit_code}:\n{emm.said()}")
    notes = sum(1 for _ in (home / "vault").rglob("*.md"))
    left = sum(1 for path in (home / "UNSORTED").rglob("*") if path.is_file() and ".emm" not in str(path))
    if notes != options.files or left:
        raise SystemExit(f"{notes} notes in the vault and {left} files left in the inbox, of {options.files}")
    if options.verify:
        with running.Emm(options.emm, ["--home", str(home), "verify"], log=work / "verify.log") as account:
            account.wait(options.limit)
            if account.exit_code != 0:
                raise SystemExit(f"emm verify ended with {account.exit_code}:\n{account.said()}")
    return seconds, emm.peak_kb, emm.peak_tree_kb


def loop(options, work):
    """One plain copy on fresh folders. Seconds."""
    source, target = work / "source", work / "target"
    source.mkdir(parents=True)
    target.mkdir()
    write(source, options, hinted=False)
    return copy_loop(source, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emm", help="the program, a release build")
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--bytes", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    by = "words: the classifier chooses; folder: sub-folders of the inbox do, and each filing is taught"
    parser.add_argument("--by", choices=["words", "folder"], default="words", help=by)
    parser.add_argument("--folder", default="target", help="where both work; a real disk, for tmpfs has no fsync")
    parser.add_argument("--limit", type=float, default=1800, help="seconds after which a sweep is given up")
    parser.add_argument("--verify", action="store_true", help="account for every file afterwards, not timed")
    options = parser.parse_args()
    options.emm = str(pathlib.Path(options.emm).resolve(strict=True))
    os.makedirs(options.folder, exist_ok=True)
    kind = running.file_system_of(options.folder)
    print(f"{options.files} files of {options.bytes} bytes, by {options.by}, {options.rounds} rounds, on {kind}")
    if kind in ("tmpfs", "ramfs"):
        print("note: fsync costs nothing here; give --folder on a disk")

    loops, sweeps, peaks, trees = [], [], [], []
    for turn in range(options.rounds):
        work = pathlib.Path(tempfile.mkdtemp(prefix="emm-filing-", dir=options.folder))
        try:
            # Who begins changes from round to round.
            for first in (turn % 2 == 0, turn % 2 == 1):
                if first:
                    loops.append(loop(options, work))
                else:
                    seconds, peak, tree = sweep(options, work)
                    sweeps.append(seconds)
                    peaks.append(peak / 1024)
                    trees.append(tree / 1024)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        print(f"round {turn + 1}: loop {loops[-1]:.2f} s, emm {sweeps[-1]:.2f} s", flush=True)

    loop_median, sweep_median = statistics.median(loops), statistics.median(sweeps)
    rate = lambda seconds: f"{options.files / seconds:.0f}"
    print()
    running.table(
        [
            ["plain loop", f"{loop_median:.2f}", rate(loop_median), "", ""],
            ["emm sweep", f"{sweep_median:.2f}", rate(sweep_median), f"{max(peaks):.0f}", f"{max(trees):.0f}"],
        ],
        ["who", "median s", "files/s", "peak MB", "with children MB"],
    )
    print()
    bars = [("emm / loop", sweep_median / loop_median, 3, "x"), ("peak of emm", max(peaks), 150, "MB")]
    return running.judge(bars)


if __name__ == "__main__":
    sys.exit(main())
