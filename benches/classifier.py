#!/usr/bin/env python3
"""How well the engine files what people filed by hand, beside what others reach on the same splits in the same run.

    cargo build --release && VENV/bin/python benches/classifier.py target/release/emm DIR [SET..] [--cache FILE] > benches/classifier.md

DIR has a folder for each set, with items.jsonl, jd.yaml and splits.json. VENV is a Python environment with what
`benches/baselines.py` needs. The baselines take twenty minutes of one core; with --cache they are kept in a file, until they, their
libraries or the items change. Prints Markdown.
"""

import argparse
import functools
import hashlib
import importlib.metadata
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import baselines
import numpy as np
from scipy import stats

# The baseline that a protocol is held against first.
FIRST = {"warm": "svc+names", "growing": "mix", "cold": "names"}
# Those that are too large to be like the others stand by themselves, with the given split only.
LARGE = ("win32", "bm-nikiv")
# Top-1 in per cent as it was published for the given splits, to see that our own baselines are no weaker.
PUBLISHED = {
    ("warm", "svc+names"): {"wiki-nikiv": 55.5, "til-en": 84.7, "til-simon": 72.8, "bm-awesome-python": 63.6, "bm-mac-mix": 60.6, "bm-books-mix": 84.6},
    ("warm", "svc"): {"wiki-nikiv": 54.5, "til-en": 83.6, "til-simon": 70.1, "bm-awesome-python": 56.1, "bm-mac-mix": 57.2, "bm-awesome-go": 58.8, "bm-books-mix": 84.7, "win32": 97.5, "bm-nikiv": 60.7},
    ("warm", "paperless"): {"wiki-nikiv": 34.4, "til-en": 71.3, "til-simon": 55.8, "bm-awesome-python": 25.8, "bm-mac-mix": 23.1, "bm-awesome-go": 34.0, "bm-books-mix": 51.8, "win32": 89.2, "bm-nikiv": 16.1},
    ("growing", "mix"): {"wiki-nikiv": 46.2, "til-en": 77.8, "til-simon": 59.1, "bm-awesome-python": 45.8, "bm-mac-mix": 47.1, "bm-awesome-go": 51.4, "bm-books-mix": 78.2},
    ("growing", "paperless"): {"wiki-nikiv": 28.6, "til-simon": 44.8, "bm-awesome-python": 19.1},
    ("cold", "names"): {"wiki-nikiv": 25.6, "til-en": 61.7, "til-simon": 58.5, "bm-awesome-python": 33.9, "bm-mac-mix": 25.1, "bm-awesome-go": 27.4, "bm-books-mix": 56.3},
}
# The share of each category that is learnt in splits that are drawn.
TRAIN = 0.7


# ---- What is measured


def engine(emm, folder, protocol, splits, *more):
    files = ["--items", folder / "items.jsonl", "--jd", folder / "jd.yaml", "--splits", splits]
    done = subprocess.run([emm, "eval", *files, "--protocol", protocol, "--json", *more], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def drawn_splits(folder, seed, path):
    """Writes splits like the given ones: 70 % of each category is learnt, and the stream comes in any order."""
    generator, by_label = np.random.default_rng(seed), {}
    for line in (folder / "items.jsonl").read_text("utf-8").splitlines():
        if line.strip():
            item = json.loads(line)
            by_label.setdefault(item["label"], []).append(item["id"])
    train, test = [], []
    for label in sorted(by_label):
        keys = generator.permutation(by_label[label]).tolist()
        begin = round(len(keys) * TRAIN)
        train += keys[:begin]
        test += keys[begin:]
    shuffled = {"warm_train": train, "warm_test": test, "growing_order": train + test}
    shuffled = {part: generator.permutation(keys).tolist() for part, keys in shuffled.items()}
    shuffled["growing_order"] = shuffled["growing_order"][: baselines.GROWING_MAX]
    path.write_text(json.dumps(shuffled), "utf-8")
    return path


class Yardsticks:
    """Figures of the baselines, kept in a file where one is given: they do not change when the engine does."""

    def __init__(self, cache):
        self.cache = cache
        self.kept = json.loads(cache.read_text("utf-8")) if cache and cache.exists() else {}
        libraries = ("numpy", "scipy", "scikit-learn", "snowballstemmer", "PyYAML")
        self.versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in libraries)
        self.recipe = pathlib.Path(baselines.__file__).read_bytes() + self.versions.encode()

    @functools.lru_cache(maxsize=1)
    def collection(self, folder):
        return baselines.Collection(folder)

    def figures(self, folder, protocol, method, splits, seed):
        read = [folder / "items.jsonl", folder / "jd.yaml", splits]
        digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in (self.recipe, *(path.read_bytes() for path in read))))
        key = f"{folder.name}/{protocol}/{method}/{seed}/{digest.hexdigest()[:16]}"
        if key not in self.kept:
            self.kept[key] = baselines.figures(self.collection(folder), protocol, method, splits, seed)
            if self.cache:
                part = self.cache.with_suffix(".part")
                part.write_text(json.dumps(self.kept, indent=1), "utf-8")
                part.replace(self.cache)
        return self.kept[key]


def measured(options, yardsticks, scratch):
    """Figures by (protocol, method, set), for each seed; the engine is the method "emm". Seed 0 is the given split."""
    found = {}
    for name in options.sets:
        folder = options.data / name
        for seed in range(1 if name in LARGE else options.seeds):
            splits = drawn_splits(folder, seed, scratch / "splits.json") if seed else folder / "splits.json"
            for protocol, methods in baselines.METHODS.items():
                if protocol == "cold" and seed:
                    continue
                print(f"{name}, seed {seed}, {protocol}", file=sys.stderr, flush=True)
                found.setdefault((protocol, "emm", name), []).append(engine(options.emm, folder, protocol, splits))
                for method in methods:
                    found.setdefault((protocol, method, name), []).append(yardsticks.figures(folder, protocol, method, splits, seed))
        if name not in LARGE:
            found["inbox", "emm", name] = [engine(options.emm, folder, "cold", folder / "splits.json", "--inbox-em")]
    return found


# ---- What is told


def percent(share, digits=1):
    return "-" if share is None else f"{share * 100:.{digits}f}"


def beside(share, other):
    return percent(share) + ("" if other is None else f" ({percent(other)})")


def line(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def table(*head):
    print()
    line(*head)
    line(*("---" for _ in head))


def kinds(sets):
    """Sets of one kind whose means are told."""
    small = [name for name in sets if name not in LARGE]
    for kind, bookmarks in (("notes", False), ("bookmarks", True)):
        names = [name for name in small if name.startswith("bm-") == bookmarks]
        if names:
            yield kind, names


def tell_protocol(found, protocol, sets):
    """The engine on the given splits; the first baseline of the protocol is in brackets."""
    print(f"\n## {protocol.capitalize()}")
    table("set", "asked", "top 1", "top 3", "macro F1", "surest 50 %", "80 %", "ECE", "coverage 95", "coverage 90", "first 100", "last quarter", "learn ms", "predict ms", "model MB")
    keys = ("top1", "top3", "macro_f1", "conf50", "conf80", "ece", "coverage95", "coverage90")
    bracketed = ("top1", "coverage95", "coverage90") if protocol == "growing" else ("top1",)
    first = lambda method, name: found[protocol, method, name][0]
    for name in sets:
        ours, theirs = first("emm", name), first(FIRST[protocol], name)
        shown = [beside(ours[key], theirs[key] if key in bracketed else None) for key in keys]
        times = [f"{ours['learn_ms']:.2f}", f"{ours['predict_ms']:.2f}", f"{ours['model_bytes'] / 1e6:.1f}"]
        line(name, ours["asked"], *shown, percent(ours.get("first100")), percent(ours.get("last_quarter")), *times)
    for kind, names in kinds(sets):
        mean = lambda method, key: statistics.mean(first(method, name)[key] for name in names)
        shown = [beside(mean("emm", key), mean(FIRST[protocol], key) if key in bracketed else None) for key in keys]
        line(f"**mean, {kind}**", "", *shown, "", "", "", "", "")


def tell_inbox(found, sets):
    print("\n## Cold, with the text of the inbox")
    table("set", "top 1", "without")
    for name in sets:
        if name not in LARGE:
            line(name, percent(found["inbox", "emm", name][0]["top1"]), percent(found["cold", "emm", name][0]["top1"]))


def tell_all(found, sets):
    print("\n## Beside all baselines\n\nTop 1 on the given splits; in brackets what was published for a baseline of this kind.")
    for protocol, methods in baselines.METHODS.items():
        table(protocol, "emm", *methods)
        for name in sets:
            cells = [percent(found[protocol, "emm", name][0]["top1"])]
            for method in methods:
                published = PUBLISHED.get((protocol, method), {}).get(name)
                cells.append(percent(found[protocol, method, name][0]["top1"]) + (f" ({published})" if published else ""))
            line(name, *cells)
        for kind, names in kinds(sets):
            means = [statistics.mean(found[protocol, method, name][0]["top1"] for name in names) for method in ("emm", *methods)]
            line(f"**mean, {kind}**", *map(percent, means))


def differences(found, protocol, method, name, key="top1"):
    """The engine less the baseline, for each seed, in points."""
    pairs = zip(found[protocol, "emm", name], found[protocol, method, name])
    return [(ours[key] - theirs[key]) * 100 for ours, theirs in pairs]


def sign_flips(values):
    """The exact two-sided p of a mean, were each value as likely to have the other sign."""
    signs = np.array(list(itertools.product((1, -1), repeat=len(values))))
    return float(np.mean(np.abs(signs @ values) >= abs(sum(values)) - 1e-9))


def error(values):
    """The standard error of a mean."""
    return statistics.stdev(values) / len(values) ** 0.5


def tell_seeds(found, sets, seeds):
    sets = [name for name in sets if name not in LARGE]
    print(f"\n## {seeds} seeds\n")
    print(
        "The given split and drawn ones: 70 % of each category learnt, the stream in any order; the same files for both sides. Top 1, means over the seeds; the difference in points, with its"
        " standard error over the seeds. A row is marked where the engine is more than one standard error below."
    )
    tests = []
    for protocol in ("warm", "growing"):
        for method in baselines.METHODS[protocol]:
            pairs = {name: differences(found, protocol, method, name) for name in sets}
            tests.append((protocol, method, pairs))
            table(f"{protocol}, beside {method}", "emm", method, "difference", "worst and best seed", "")
            for name, values in pairs.items():
                means = [percent(statistics.mean(row["top1"] for row in found[protocol, side, name])) for side in ("emm", method)]
                mean, spread = statistics.mean(values), error(values)
                line(name, *means, f"{mean:+.1f} ± {spread:.1f}", f"{min(values):+.1f} to {max(values):+.1f}", "**below**" if mean < -spread else "")
    print("\n### Whether the difference is one\n")
    print(
        "Two-sided. Seeds of one set share its items, so that they are no independent witnesses: a paired t test over all pairs takes them for such and is shown for comparison only."
        " The t test over the means of the sets is what a mixed model with a random effect of the set amounts to where all sets have equally many seeds; the permutation test flips the"
        " signs of these means in all ways and supposes no distribution."
    )
    table("protocol", "beside", "mean difference", "t test over all pairs", "t test over sets", "permutation over sets", "sets above", "marked sets")
    for protocol, method, pairs in tests:
        means = [statistics.mean(values) for values in pairs.values()]
        every = [value for values in pairs.values() for value in values]
        below = [name for name, values in pairs.items() if statistics.mean(values) < -error(values)]
        ps = [stats.ttest_1samp(every, 0).pvalue, stats.ttest_1samp(means, 0).pvalue, sign_flips(means)]
        shown = [f"p = {p:.3f}" if p >= 0.001 else "p < 0.001" for p in ps]
        line(protocol, method, f"{statistics.mean(means):+.2f}", *shown, f"{sum(mean > 0 for mean in means)} of {len(means)}", ", ".join(below) or "none")


def tell_coverage(found, sets):
    sets = [name for name in sets if name not in LARGE]
    print("\n## How much is filed without asking\n")
    print("Growing, over the last half of the stream, means over the seeds: the largest share, taken by confidence, that is 95 or 90 % right. In points, what the engine has more, with its standard error over the seeds.")
    methods = ("mix", "strong mix")
    for key in ("coverage95", "coverage90"):
        heads = [head for method in methods for head in (method, "more")]
        table(key.replace("coverage", "coverage "), "emm", *heads)
        mean = lambda method, name: statistics.mean(row[key] for row in found["growing", method, name])
        for name in sets:
            cells = [percent(mean("emm", name))]
            for method in methods:
                values = differences(found, "growing", method, name, key)
                cells += [percent(mean(method, name)), f"{statistics.mean(values):+.1f} ± {error(values):.1f}"]
            line(name, *cells)
        cells = [percent(statistics.mean(mean("emm", name) for name in sets))]
        for method in methods:
            more = [statistics.mean(differences(found, "growing", method, name, key)) for name in sets]
            cells += [percent(statistics.mean(mean(method, name) for name in sets)), f"{statistics.mean(more):+.1f} (over sets: ± {error(more):.1f})"]
        line("**mean**", *cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("emm", help="the program, a release build")
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--seeds", type=int, default=5, help="splits of each set, at least 2 [default: 5]")
    parser.add_argument("--cache", type=pathlib.Path, help="where the figures of the baselines are kept; outside of the repository")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("a standard error needs at least two seeds")
    options.emm = str(pathlib.Path(options.emm).resolve(strict=True))
    options.sets = options.sets or sorted(path.parent.name for path in options.data.glob("*/items.jsonl"))
    yardsticks = Yardsticks(options.cache)
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(options, yardsticks, pathlib.Path(scratch))
    print("# What the built-in engine reaches\n\nMade by `benches/classifier.py`. All but times and sizes in per cent; a baseline of the same run is in brackets:")
    print(f"{FIRST['warm']} (warm), {FIRST['growing']} (growing), {FIRST['cold']} (cold), as `benches/baselines.py` has them, with {yardsticks.versions}.")
    print("Names, unlike the engine without the text of the inbox, may count in all items how rare an n-gram is.")
    for protocol in baselines.METHODS:
        tell_protocol(found, protocol, options.sets)
    tell_inbox(found, options.sets)
    tell_all(found, options.sets)
    if len([name for name in options.sets if name not in LARGE]) > 1:
        tell_seeds(found, options.sets, options.seeds)
        tell_coverage(found, options.sets)


if __name__ == "__main__":
    sys.exit(main())
