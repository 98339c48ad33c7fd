#!/usr/bin/env python3
"""How well the engine files what people filed by hand, beside what others reach on the same splits.

    cargo build --release && python3 benches/classifier.py target/release/emm DIR [SET..] > benches/classifier.md

DIR has a folder for each set, with items.jsonl, jd.yaml and splits.json. Prints Markdown.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

# Top-1 in per cent of the strongest baselines on these splits: linear SVM with names as pseudo-documents (warm), an online
# mixture (growing), character n-grams of the names (cold). SGD where the set is too large for the SVM.
BASELINES = {
    "wiki-nikiv": (55.5, 46.2, 25.6),
    "til-en": (84.7, 77.8, 61.7),
    "til-simon": (72.8, 59.1, 58.5),
    "bm-awesome-python": (63.6, 45.8, 33.9),
    "bm-mac-mix": (60.6, 47.1, 25.1),
    "bm-awesome-go": (58.8, 51.4, 27.4),
    "bm-books-mix": (84.6, 78.2, 56.3),
    "win32": (97.5, None, None),
    "bm-nikiv": (60.7, None, None),
}
# Share that the mixture files by itself over the last half of the stream, at 95 and at 90 % precision.
COVERAGE = {"til-en": (66, 86), "til-simon": (3, 17), "wiki-nikiv": (7, 10), "bm-mac-mix": (4, 11), "bm-books-mix": (65, 87)}
PROTOCOLS = ("warm", "growing", "cold")
# Those that are too large to be like the others stand by themselves.
LARGE = ("win32", "bm-nikiv")


def measure(emm, folder, protocol, *more):
    files = ["--items", folder / "items.jsonl", "--jd", folder / "jd.yaml", "--splits", folder / "splits.json"]
    done = subprocess.run([emm, "eval", *files, "--protocol", protocol, "--json", *more], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def percent(share):
    return "-" if share is None else f"{share * 100:.1f}"


def line(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def table(*head):
    print()
    line(*head)
    line(*("---" for _ in head))


def mean(rows, names, of):
    found = [of(rows[name]) for name in names if name in rows and of(rows[name]) is not None]
    return statistics.mean(found) if found else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emm", help="the program, a release build")
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("sets", nargs="*")
    options = parser.parse_args()
    options.emm = str(pathlib.Path(options.emm).resolve(strict=True))
    sets = options.sets or sorted(path.parent.name for path in options.data.glob("*/items.jsonl"))
    print("# What the built-in engine reaches\n\nMade by `benches/classifier.py`. All but times and sizes in per cent; a baseline is in brackets.")
    for number, protocol in enumerate(PROTOCOLS):
        print(f"\n## {protocol.capitalize()}")
        table("set", "asked", "top 1", "top 3", "macro F1", "surest 50 %", "80 %", "ECE", "coverage 95", "coverage 90", "first 100", "last quarter", "learn ms", "predict ms", "model MB")
        rows = {}
        for name in sets:
            found = rows[name] = measure(options.emm, options.data / name, protocol)
            base = BASELINES.get(name, (None,) * 3)[number]
            beside = [COVERAGE.get(name, (None, None))[at] if protocol == "growing" else None for at in (0, 1)]
            shown = [percent(found[key]) for key in ("top3", "macro_f1", "conf50", "conf80", "ece")]
            covered = [percent(found[key]) + (f" ({was})" if was is not None else "") for key, was in zip(("coverage95", "coverage90"), beside)]
            first = percent(found["top1"]) + (f" ({base})" if base is not None else "")
            times = [f"{found['learn_ms']:.2f}", f"{found['predict_ms']:.2f}", f"{found['model_bytes'] / 1e6:.1f}"]
            line(name, found["asked"], first, *shown, *covered, percent(found.get("first100")), percent(found.get("last_quarter")), *times)
        for kind, chosen in (("notes", lambda it: not it.startswith("bm-")), ("bookmarks", lambda it: it.startswith("bm-"))):
            names = [name for name in sets if chosen(name) and name not in LARGE]
            base = [BASELINES[name][number] for name in names if name in BASELINES]
            if names:
                keys = ("top3", "macro_f1", "conf50", "conf80", "ece", "coverage95", "coverage90")
                means = [percent(mean(rows, names, lambda row, key=key: row[key])) for key in keys]
                was = f" ({statistics.mean(base):.1f})" if base else ""
                line(f"**mean, {kind}**", "", percent(mean(rows, names, lambda row: row["top1"])) + was, *means, "", "", "", "", "")
    print("\n## Cold, with the text of the inbox")
    table("set", "top 1", "without")
    for name in sets:
        if name not in LARGE:
            folder = options.data / name
            line(name, percent(measure(options.emm, folder, "cold", "--inbox-em")["top1"]), percent(measure(options.emm, folder, "cold")["top1"]))


if __name__ == "__main__":
    sys.exit(main())
