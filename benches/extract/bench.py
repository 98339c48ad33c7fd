#!/usr/bin/env python3
"""Reads every document of the corpus with `emm extract FILE --json` and prints how well, kind by kind.

    bench.py [--command "target/release/emm extract {file} --json"] [--corpus DIR] [--only KIND] [--worst N]

A word is a maximal run of letters and digits, lower-cased. F1 compares bags of words: how often each word is
there, in any order. References: `ref_pdftotext` for PDF, `expected.markdown` of the manifest for the rest (its
marks stripped), and what Python's `email` package reads for mail. Exit code 1 if a bar is missed or a file crashes or hangs.
Standard library only.
"""
import argparse, collections, concurrent.futures, email, email.policy, html, json, mailbox, os, re, shlex, statistics
import subprocess, sys, time

BARS = {
    # kind: (measure, bar)
    "pdf": [("median", 0.99), ("weighted", 0.93), ("over95", 0.75)],
    "docx": [("mean", 0.92)],
    "xlsx": [("mean", 0.85)],
    "pptx": [("mean", 0.85)],
    "eml": [("mean", 0.95)],
    "mbox": [("mean", 0.95)],
    "odf": [("mean", 0.92)],
}


def words(text):
    out, word = collections.Counter(), []
    for character in text.lower():
        if character.isalnum():
            word.append(character)
        elif word:
            out["".join(word)] += 1
            word = []
    if word:
        out["".join(word)] += 1
    return out


def f1(got, want):
    both = sum((got & want).values())
    total = sum(got.values()) + sum(want.values())
    return 1.0 if total == 0 else 2 * both / total


def strip_markdown(text):
    """Takes away what the reference's writer added: picture marks, link targets, entities."""
    text = re.sub(r"<!--.*?-->", " ", text, flags=re.S)
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r" \1 ", text)
    text = re.sub(r"\[([^\]]*)\]\([^)\s]*\)", r" \1 ", text)
    return html.unescape(text)


def mail_text(message):
    parts = [str(message.get(name, "")) for name in ("subject", "from", "to", "cc", "date")]
    plain = [part for part in message.walk() if part.get_content_maintype() == "text" and not part.get_filename()]
    has_plain = any(part.get_content_type() == "text/plain" for part in plain)
    for part in plain:
        if part.get_content_type() == "text/html" and has_plain:
            continue
        try:
            text = part.get_content()
        except (LookupError, UnicodeError, KeyError, AttributeError, ValueError):
            text = (part.get_payload(decode=True) or b"").decode("latin-1")
        if part.get_content_type() == "text/html":
            text = re.sub(r"(?is)<(script|style|head)\b.*?</\1>", " ", text)
            text = html.unescape(re.sub(r"(?s)<[^>]*>", " ", text))
        parts.append(text)
    return "\n".join(parts)


def reference(corpus, entry):
    kind, path = entry["kind"], os.path.join(corpus, entry["file"])
    if entry.get("ref_pdftotext"):
        with open(os.path.join(corpus, entry["ref_pdftotext"]), encoding="utf8") as file:
            return file.read(), False
    expected = entry.get("expected") or {}
    if kind in ("eml", "mbox"):
        try:
            if kind == "mbox":
                box = mailbox.mbox(path, factory=lambda f: email.message_from_binary_file(f, policy=email.policy.default), create=False)
                return "\n".join(mail_text(message) for message in box), False
            with open(path, "rb") as file:
                raw = file.read()
            # The package knows no UTF-16 files; the text in them is the same.
            if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raw = raw.decode("utf-16").encode()
            elif raw[:40:2].count(0) == 20 or raw[1:40:2].count(0) == 20:
                raw = raw.decode("utf-16-be" if raw[0] == 0 else "utf-16-le").encode()
            return mail_text(email.message_from_bytes(raw, policy=email.policy.default)), False
        except Exception:
            return None, False
    if "markdown" in expected and kind not in ("pdf", "confluence-storage", "html", "xml"):
        with open(os.path.join(corpus, expected["markdown"]), encoding="utf8") as file:
            return strip_markdown(file.read()), True
    return None, False


def run(command, corpus, entry, timeout):
    path = os.path.join(corpus, entry["file"])
    begun = time.monotonic()
    try:
        done = subprocess.run([part.replace("{file}", path) for part in shlex.split(command)], capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return "timeout", None, time.monotonic() - begun, ""
    took, complaint = time.monotonic() - begun, done.stderr.decode(errors="replace").strip()
    if done.returncode == 0:
        try:
            return "ok", json.loads(done.stdout), took, complaint
        except ValueError:
            return "crash", None, took, "no JSON came out"
    crashed = done.returncode < 0 or done.returncode >= 100 or "panicked" in complaint
    return ("crash" if crashed else "error"), None, took, complaint


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default="target/release/emm extract {file} --json")
    parser.add_argument("--corpus", default="../shared/data/corpus")
    parser.add_argument("--timeout", type=float, default=20.0, help="seconds for one file")
    parser.add_argument("--only", help="kinds of the manifest, separated by commas")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--worst", type=int, default=0, help="list the N worst files of each kind")
    options = parser.parse_args()
    with open(os.path.join(options.corpus, "manifest.jsonl"), encoding="utf8") as file:
        entries = [json.loads(line) for line in file]
    if options.only:
        entries = [entry for entry in entries if entry["kind"] in options.only.split(",")]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda entry: run(options.command, options.corpus, entry, options.timeout), entries))
    rows = collections.defaultdict(lambda: {"files": 0, "ok": 0, "error": 0, "crash": 0, "timeout": 0, "scores": [], "seconds": 0.0})
    trouble = []
    for entry, (state, found, took, complaint) in zip(entries, results):
        # ODT, ODS and ODP have one bar together.
        row = rows["odf" if entry["kind"] in ("odt", "ods", "odp") else entry["kind"]]
        row["files"] += 1
        row[state] += 1
        row["seconds"] = max(row["seconds"], took)
        if state != "ok":
            trouble.append(f"{state:8} {entry['file']}: {complaint.splitlines()[-1][:150] if complaint else ''}")
        want, marked = reference(options.corpus, entry)
        if want is None:
            continue
        text = (found or {}).get("text", "")
        if entry["kind"] in ("eml", "mbox") and found:
            facts = found.get("facts", {})
            extra = [found.get("title") or "", facts.get("from", ""), facts.get("to", ""), facts.get("cc", ""), facts.get("date", "")]
            text = "\n".join(extra + [text]) if entry["kind"] == "eml" else text
        wanted = words(want)
        weight = entry.get("words") or sum(wanted.values())
        row["scores"].append((f1(words(strip_markdown(text) if marked else text), wanted), weight, entry["file"]))
    missed = 0
    print(f"{'kind':20}{'files':>6}{'ok':>6}{'err':>5}{'crash':>6}{'hang':>5}{'max s':>7}{'ref':>5}{'mean':>8}{'median':>8}{'weighted':>9}{'>0.95':>7}")
    for kind in sorted(rows):
        row = rows[kind]
        line = f"{kind:20}{row['files']:6}{row['ok']:6}{row['error']:5}{row['crash']:6}{row['timeout']:5}{row['seconds']:7.2f}{len(row['scores']):5}"
        missed += row["crash"] + row["timeout"]
        if row["scores"]:
            values = [score for score, _, _ in row["scores"]]
            measured = {
                "mean": statistics.mean(values),
                "median": statistics.median(values),
                "weighted": sum(s * w for s, w, _ in row["scores"]) / max(1, sum(w for _, w, _ in row["scores"])),
                "over95": sum(value > 0.95 for value in values) / len(values),
            }
            line += f"{measured['mean']:8.3f}{measured['median']:8.3f}{measured['weighted']:9.3f}{measured['over95']:7.2f}"
            for measure, bar in BARS.get(kind, []):
                good = measured[measure] >= bar
                missed += not good
                line += f"  {measure}>={bar} {'ok' if good else 'MISSED'}"
        print(line)
    for kind in sorted(rows):
        for score, weight, file in sorted(rows[kind]["scores"])[: options.worst]:
            print(f"  {score:.3f} {weight:6} {file}")
    for line in trouble:
        print("  " + line)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
