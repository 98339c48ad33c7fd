#!/usr/bin/env python3
"""What others reach: the yardsticks that `benches/classifier.py` holds the engine against, on the same items and splits.

    python3 -m venv VENV && VENV/bin/pip install numpy scipy scikit-learn snowballstemmer pyyaml
    VENV/bin/python benches/baselines.py DIR/SET [METHOD..] [--splits FILE]

Prints the figures of each method as a line of JSON. One thread; the same figures each time. Written against numpy 2.4.6,
scipy 1.17.1, scikit-learn 1.9.1, snowballstemmer 3.1.1 and PyYAML 6.0.4.

An item is its title, text and address; its path is not read, and a category's code is an opaque string.
"""

import os

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[library + "_NUM_THREADS"] = "1"

import argparse
import collections
import copy
import functools
import itertools
import json
import pathlib
import re
import sys
import time
import unicodedata
import warnings

import numpy as np
import scipy.sparse as sparse
import snowballstemmer
import yaml
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

# ---- Items and their features

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
WORD = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
IS_CJK = re.compile(f"[{CJK}]")
# Runs of letters and runs of signs: "c++" keeps its signs, a full stop does not stick to a word.
RUN = re.compile(r"\w+|[^\w\s]+")
SCHEME = re.compile(r"^[a-z]+://(www\.)?")
# Characters of the text whose n-grams are counted, and the lengths of these.
CHARS_MAX = 2_500
GRAMS = (2, 5)
# Buckets that n-grams of characters are hashed into; a power of two.
BUCKETS_BITS = 24
GROWING_MAX = 3_000
# From so many items on, stochastic gradient descent stands in for the solver of the linear SVM.
LARGE = 10_000


def plain(text):
    return unicodedata.normalize("NFKC", text).lower()


def words(text):
    """Words in lower case; a run of Chinese, Japanese or Korean signs is its bigrams."""
    found = []
    for run in WORD.findall(plain(text)):
        found += [run[at : at + 2] for at in range(len(run) - 1)] if len(run) > 1 and IS_CJK.match(run) else [run]
    return found


def mixed_bits(hashes):
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return hashes >> np.uint64(64 - BUCKETS_BITS)


def char_grams(text):
    """The buckets of all n-grams within runs, each run between two blanks, and how often each occurs."""
    letters = np.frombuffer((" " + " ".join(RUN.findall(plain(text))) + " ").encode("utf-32-le", "surrogatepass"), np.uint32)
    blank, found, rolling = letters == ord(" "), [], np.zeros(len(letters), np.uint64)
    for length in range(1, GRAMS[1] + 1):
        starts = len(letters) - length + 1
        if starts < 1:
            break
        rolling = rolling[:starts] * np.uint64(0x9E3779B97F4A7C15) + letters[length - 1 :].astype(np.uint64)
        if length >= GRAMS[0]:
            within = ~np.any([blank[at : at + starts] for at in range(1, length - 1)] or [np.zeros(starts, bool)], axis=0)
            found.append(mixed_bits(rolling[within] ^ np.uint64(length)))
    return np.unique(np.concatenate(found), return_counts=True) if found else (np.empty(0, np.int64),) * 2


def counts_matrix(rows):
    """Rows of (features, counts) as a sparse matrix. Its columns are numbered over all rows, but a number says nothing."""
    features = np.concatenate([row[0] for row in rows]).astype(np.int64)
    counts = np.concatenate([row[1] for row in rows]).astype(np.float32)
    used = np.zeros(features.max(initial=0) + 1, np.int32)
    used[features] = 1
    columns = np.cumsum(used, dtype=np.int32) - 1
    begins = np.cumsum([0] + [len(row[0]) for row in rows])
    return sparse.csr_matrix((counts, columns[features], begins), shape=(len(rows), int(used.sum())))


class Collection:
    """Items filed by hand. Rows of the matrices are the categories' names first, as documents of nothing but a title, then the items."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.items = [json.loads(line) for line in (self.folder / "items.jsonl").read_text("utf-8").splitlines() if line.strip()]
        tree = yaml.safe_load((self.folder / "jd.yaml").read_text("utf-8"))
        names = {}
        for area in tree.get("areas", tree).values():
            for code, category in (area.get("categories") or {}).items():
                names[str(code)] = category if isinstance(category, str) else f"{category['name']} {category.get('description', '')}"
        for item in self.items:
            names.setdefault(item["label"], "")
        self.codes, self.names = list(names), list(names.values())
        at = {code: number for number, code in enumerate(self.codes)}
        self.labels = np.array([at[item["label"]] for item in self.items])
        self.row = {item["id"]: number for number, item in enumerate(self.items)}

    def splits(self, path=None):
        """Numbers of the items that are learnt, asked about, and of the stream."""
        named = json.loads(pathlib.Path(path or self.folder / "splits.json").read_text("utf-8"))
        train, test, order = (np.array([self.row[key] for key in named[part]]) for part in ("warm_train", "warm_test", "growing_order"))
        return train, test, order[:GROWING_MAX]

    @functools.cached_property
    def texts(self):
        """(title, text, address) of each row."""
        items = [(item.get("title") or "", item.get("text") or "", SCHEME.sub("", item.get("url") or "")) for item in self.items]
        return [(name, "", "") for name in self.names] + items

    @functools.cached_property
    def features(self):
        """Counts of words and pairs of words; of n-grams of characters; of words of the title."""
        number, rows = collections.defaultdict(itertools.count().__next__), ([], [], [])
        for title, text, address in self.texts:
            titled, body, host = words(title), words(text), words(address)
            counted = collections.Counter(titled + body + host)
            counted.update(itertools.chain(itertools.pairwise(titled), itertools.pairwise(body)))
            counted.update(("address", word) for word in host)
            for kind, found in ((0, counted), (2, collections.Counter(titled))):
                rows[kind].append((np.array([number[kind, feature] for feature in found], np.int64), np.array(list(found.values()))))
            rows[1].append(char_grams(f"{title}\n{text[:CHARS_MAX]}\n{address}"))
        return tuple(counts_matrix(kind) for kind in rows)


def normalised(matrix):
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (sparse.diags_array(1 / np.where(norms > 0, norms, 1)).astype(np.float32) @ matrix).tocsr()


def tf_idf(counts, learnt):
    """(1 + ln tf) x idf, each row of length one; only the learnt rows tell how rare a feature is."""
    rarity = np.log((1 + len(learnt)) / (1 + np.bincount(counts[learnt].indices, minlength=counts.shape[1]))) + 1
    weighted = counts.copy()
    weighted.data = ((1 + np.log(weighted.data)) * rarity[weighted.indices]).astype(np.float32)
    return normalised(weighted)


# What words, n-grams of characters and words of the title weigh beside each other, where the title is a field of its own and where not.
FIELDS, FIELDS_TITLED = (1.0, 1.0, 0.0), (1.0, 1.4, 0.7)
# What a category's name weighs beside an item, as an example of what belongs there.
NAME_WEIGHT = 0.6

# ---- Figures, defined as in src/domain/classify/measure.rs


class Outcomes:
    """Rankings beside what the owner chose. Scores: a row for each item, a column for each category; nan is not ranked."""

    def __init__(self, scores, truth):
        order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), axis=1, kind="stable")
        first = np.take_along_axis(scores, order[:, :1], axis=1).ravel()
        self.truth, self.known = truth, ~np.isnan(first)
        self.predicted = np.where(self.known, order[:, 0], -1)
        self.confidence = np.where(self.known, first, 0.0)
        ranked = ~np.isnan(scores[np.arange(len(truth)), truth])
        self.rank = np.where(ranked, np.argmax(order == truth[:, None], axis=1), scores.shape[1])

    def tail(self, begin):
        part = copy.copy(self)
        vars(part).update({name: values[begin:] for name, values in vars(self).items()})
        return part

    def figures(self, growing=False):
        right, count = self.rank == 0, max(len(self.truth), 1)
        sure = right[np.argsort(-self.confidence, kind="stable")]
        most = lambda share: float(np.mean(sure[: int(count * share + 0.5)]))
        late = self.tail(len(self.truth) // 2) if growing else self
        found = {
            "top1": float(np.mean(right)),
            "top3": float(np.mean(self.rank < 3)),
            "macro_f1": self.macro_f1(),
            "conf50": most(0.5),
            "conf80": most(0.8),
            "ece": self.calibration_error(),
            "coverage95": late.coverage(0.95),
            "coverage90": late.coverage(0.90),
        }
        if growing:
            found |= {"first100": float(np.mean(right[:100])), "last_quarter": float(np.mean(right[len(right) - len(right) // 4 :]))}
        return found

    def macro_f1(self):
        labels = np.union1d(self.truth, self.predicted[self.known])
        hits = [2 * np.sum((self.truth == label) & (self.predicted == label)) for label in labels]
        sizes = [np.sum(self.truth == label) + np.sum(self.predicted == label) for label in labels]
        return float(np.mean(np.divide(hits, sizes)))

    def calibration_error(self):
        bins = np.minimum((self.confidence * 10).astype(int), 9)
        gaps = np.bincount(bins, self.confidence, 10) - np.bincount(bins, self.rank == 0, 10)
        return float(np.abs(gaps).sum() / max(len(bins), 1))

    def coverage(self, precision):
        """The largest share, taken by confidence, that is so precise; what is equally sure is taken together."""
        order = np.argsort(-self.confidence, kind="stable")
        sure, taken = self.confidence[order], np.arange(1, len(order) + 1)
        reached = (np.cumsum(self.rank[order] == 0) / taken >= precision) & np.append(sure[1:] != sure[:-1], True)
        return float(taken[reached].max(initial=0) / max(len(taken), 1))


def softmax(scores):
    powers = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# ---- paperless-ngx's recipe: stemmed words, counts of 1-2 grams, a document frequency of 1 % at least, a perceptron of 100.
# It also drops English stop words, by a list that has to be downloaded; here they stay. Title and address are in its text, as for all.


def stemmed(text, stemmer=snowballstemmer.stemmer("english")):
    return " ".join(stemmer.stemWords(re.sub(r"[^\w\s]", " ", text.lower()).split()))


def paperless_scores(texts, labels, learnt, asked, categories, seed):
    vectors = CountVectorizer(analyzer="word", ngram_range=(1, 2), min_df=0.01)
    matrix = vectors.fit_transform(texts[at] for at in learnt)
    network = MLPClassifier(tol=0.01, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(matrix, labels[learnt])
    scores = np.full((len(asked), categories), np.nan)
    scores[:, network.classes_] = network.predict_proba(vectors.transform(texts[at] for at in asked))
    return scores


def paperless_warm(collection, splits, seed):
    train, test, _ = splits
    texts = [stemmed("\n".join(text)) for text in collection.texts[len(collection.codes) :]]
    return Outcomes(paperless_scores(texts, collection.labels, train, test, len(collection.codes), seed), collection.labels[test])


def paperless_growing(collection, splits, seed):
    """Trained anew ten times, after each eleventh of the stream; it knows nothing before the first."""
    first, *blocks = np.array_split(splits[2], 11)
    texts = [stemmed("\n".join(text)) for text in collection.texts[len(collection.codes) :]]
    learnt, scores = first, [np.full((len(first), len(collection.codes)), np.nan)]
    for block in blocks:
        scores.append(paperless_scores(texts, collection.labels, learnt, block, len(collection.codes), seed))
        learnt = np.append(learnt, block)
    return Outcomes(np.concatenate(scores), collection.labels[learnt])


# ---- Linear SVM on words and n-grams of characters


def svm(collection, splits, seed, fields, with_names):
    train, test, _ = splits
    names = len(collection.codes)
    kinds = zip(collection.features, fields)
    matrix = sparse.hstack([tf_idf(counts, names + train) * weight for counts, weight in kinds if weight], format="csr")
    rows, labels, weights = names + train, collection.labels[train], np.ones(len(train))
    if with_names:
        rows, labels = np.append(rows, np.arange(names)), np.append(labels, np.arange(names))
        weights = np.append(weights, np.full(names, NAME_WEIGHT))
    few = len(train) < LARGE
    model = LinearSVC(random_state=seed) if few else SGDClassifier(alpha=1e-5, random_state=seed)
    model.fit(matrix[rows], labels, sample_weight=weights)
    scores = np.full((len(test), names), np.nan)
    # Margins, not probabilities: they rank as they are, and a softmax makes confidences of them.
    scores[:, model.classes_] = softmax(3 * model.decision_function(matrix[names + test]))
    return Outcomes(scores, collection.labels[test])


def svc(collection, splits, seed):
    return svm(collection, splits, seed, FIELDS, False)


def svc_names(collection, splits, seed):
    return svm(collection, splits, seed, FIELDS_TITLED, True)


# ---- Names only


def name_scores(collection, telling):
    """How alike each item is to each category's name: the cosine over n-grams of characters, whose rarity the telling rows tell."""
    names, vectors = len(collection.codes), tf_idf(collection.features[1], telling)
    return (vectors[names:] @ vectors[:names].T).toarray()


def names_cold(collection, _splits, _seed):
    """All that lies there to be filed tells how rare n-grams are."""
    return Outcomes(name_scores(collection, np.arange(len(collection.texts))), collection.labels)


# ---- The mix: experts that learn from each item, mixed by weights that do so too

# What each expert's scores are multiplied by, so that they are of one size, and what each weighs at first.
EXPERTS = {"bayes words": 12, "bayes chars": 12, "passive-aggressive": 6, "centroid": 20, "neighbours": 1, "names": 12}
SCALES = np.array(list(EXPERTS.values()))
WEIGHT_FIRST = 0.4
# The step of the mixing weights (Adagrad on the log-loss).
STEP = 0.3
# Complement naive Bayes: what each feature is counted beforehand.
SMOOTHING = 0.05
# BM25, and of how many neighbours the votes count.
SATURATION, LENGTH_SHARE, NEIGHBOURS = 1.2, 0.75, 20


class Mix:
    """Meets the given items in their order; each is asked about, then learnt. Nothing of an item is used before it is learnt."""

    def __init__(self, collection, items, strong):
        names = len(collection.codes)
        self.strong, self.fields = strong, FIELDS_TITLED if strong else FIELDS
        rows = np.concatenate([np.arange(names), names + items])
        kinds = [kind[rows] for kind in collection.features]
        self.counts = [kind[:, np.flatnonzero(kind.getnnz(axis=0))].tocsr() for kind in kinds]
        self.ends = np.cumsum([kind.shape[1] for kind in self.counts])
        self.labels = np.concatenate([np.arange(names), collection.labels[items]])
        self.names = names
        self.likeness = name_scores(collection, np.arange(names))[items]
        self.named = self.counts[1][:names].tocoo()
        width = self.ends[-1]
        # Of each feature and category: the sum of what was learnt, and the passive-aggressive weight.
        self.sums = np.zeros((width, names), np.float32)
        self.weights = np.zeros((width, names), np.float32)
        self.seen = np.zeros(width, np.float32)
        self.frequency = np.zeros(width, np.float32)
        self.learnt = 0
        self.lengths = np.zeros((len(self.counts), names))
        # The squared length of each category's sum, in which a field counts as often as it weighs.
        self.norms = np.zeros(names)
        # The BM25 weight of each word in each learnt item.
        self.postings = self.counts[0].astype(np.float32)
        self.sizes = np.asarray(self.postings.sum(axis=1)).ravel()
        self.query = np.zeros(self.postings.shape[1], np.float32)
        self.mixing = np.full(len(EXPERTS), WEIGHT_FIRST)
        self.gradients = np.ones(len(EXPERTS))
        for row in range(names):
            self.learn(row, self.vector(row), NAME_WEIGHT)

    def vector(self, row):
        """Columns and tf-idf values of a row, what each weighs, and where each kind of features lies in them; each kind has length one."""
        columns, values, spans = [], [], []
        for counts, end in zip(self.counts, self.ends):
            part = slice(counts.indptr[row], counts.indptr[row + 1])
            at = counts.indices[part] + (end - counts.shape[1])
            value = (1 + np.log(counts.data[part])) * (np.log((1 + self.learnt) / (1 + self.frequency[at])) + 1)
            spans.append(slice(sum(map(len, columns)), sum(map(len, columns)) + len(at)))
            columns.append(at)
            values.append((value / (np.sqrt(value @ value) or 1)).astype(np.float32))
        scale = np.repeat(np.array(self.fields, np.float32), [len(value) for value in values])
        return np.concatenate(columns), np.concatenate(values), scale, spans

    def ask(self, row):
        """The scores of each expert (experts x categories), and the probability of each category."""
        columns, values, scale, spans = vector = self.vector(row)
        sums = self.sums[columns]
        scores = np.stack([
            self.bayes(0, columns, values, sums, spans),
            self.bayes(1, columns, values, sums, spans),
            (values * scale) @ self.weights[columns],
            (values * scale) @ sums / np.sqrt(np.maximum(self.norms, 1e-9)),
            self.votes(row),
            self.likeness_now(columns, values, spans) if self.strong else self.likeness[row - self.names],
        ]) * SCALES[:, None]
        scores -= scores.max(axis=1, keepdims=True)
        return vector, scores, softmax(self.mixing @ scores)

    def bayes(self, kind, columns, values, sums, spans):
        """Complement naive Bayes. What was never seen says nothing."""
        part = spans[kind]
        seen = self.seen[columns[part]]
        known = seen > 0
        values = values[part][known]
        others = np.log(SMOOTHING + np.maximum(seen[known][:, None] - sums[part][known], 0))
        lengths, begin = self.lengths[kind], self.ends[kind] - self.counts[kind].shape[1]
        width = np.count_nonzero(self.seen[begin : self.ends[kind]])
        return values.sum() * np.log(SMOOTHING * width + lengths.sum() - lengths) - values @ others

    def likeness_now(self, columns, values, spans):
        """The cosine with each category's name over n-grams of characters, whose rarity the learnt items tell."""
        begin, owner = self.ends[0], self.named.row
        rarity = np.log((1 + self.learnt) / (1 + self.frequency[begin + self.named.col])) + 1
        document = np.zeros(self.named.shape[1], np.float32)
        document[columns[spans[1]] - begin] = values[spans[1]]
        named = (1 + np.log(self.named.data)) * rarity
        lengths = np.sqrt(np.bincount(owner, named**2, self.names))
        return np.bincount(owner, named * document[self.named.col], self.names) / np.maximum(lengths, 1e-9)

    def votes(self, row):
        """Logarithm of the share that each category has of the nearest neighbours' votes."""
        part = slice(self.postings.indptr[row], self.postings.indptr[row + 1])
        at = self.postings.indices[part]
        frequency = self.frequency[at]
        self.query[at] = np.log(1 + (self.learnt - frequency + 0.5) / (frequency + 0.5))
        end = self.postings.indptr[row]
        before = sparse.csr_array((self.postings.data[:end], self.postings.indices[:end], self.postings.indptr[: row + 1]), shape=(row, len(self.query)))
        likeness = before @ self.query
        self.query[at] = 0
        likeness[: self.names] *= NAME_WEIGHT
        nearest = np.argsort(-likeness, kind="stable")[:NEIGHBOURS]
        votes = np.bincount(self.labels[nearest], (likeness[nearest] / max(likeness[nearest[0]], 1e-9)) ** 2, self.names)
        return np.log(votes / max(votes.sum(), 1e-9) + 0.02)

    def adapt(self, scores, probabilities, label):
        """One step of the mixing weights down the log-loss."""
        missed = probabilities.copy()
        missed[label] -= 1
        gradient = scores @ missed
        self.gradients += gradient**2
        self.mixing = np.maximum(self.mixing - STEP * gradient / np.sqrt(self.gradients), 0)

    def learn(self, row, vector, weight=1.0):
        columns, values, scale, spans = vector
        label, weighted = self.labels[row], values * scale
        self.passive_aggressive(columns, weighted, label, weight)
        self.norms[label] += 2 * weight * (weighted @ self.sums[columns, label]) + weight**2 * (weighted @ values)
        self.sums[columns, label] += weight * values
        self.seen[columns] += weight * values
        for kind, part in enumerate(spans):
            self.lengths[kind, label] += weight * values[part].sum()
        part = slice(self.postings.indptr[row], self.postings.indptr[row + 1])
        often = self.postings.data[part]
        longer = self.sizes[row] / max(np.mean(self.sizes[: row + 1]), 1e-9)
        self.postings.data[part] = often * (SATURATION + 1) / (often + SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * longer))
        if row >= self.names:
            self.frequency[columns] += 1
            self.learnt += 1

    def passive_aggressive(self, columns, weighted, label, weight):
        scores = weighted @ self.weights[columns]
        rival = int(np.argmax(np.where(np.arange(self.names) == label, -np.inf, scores)))
        loss, square = 1 - scores[label] + scores[rival], weighted @ weighted
        if loss > 0 and square > 0:
            step = min(weight, loss / (2 * square))
            self.weights[columns, label] += step * weighted
            self.weights[columns, rival] -= step * weighted


def mixed(collection, splits, strong):
    order = splits[2]
    mix, found = Mix(collection, order, strong), []
    for row in range(mix.names, mix.names + len(order)):
        vector, scores, probabilities = mix.ask(row)
        found.append(probabilities)
        mix.adapt(scores, probabilities, mix.labels[row])
        mix.learn(row, vector)
    return Outcomes(np.array(found), collection.labels[order])


def mix(collection, splits, _seed):
    return mixed(collection, splits, strong=False)


def mix_strong(collection, splits, _seed):
    """As strong as we could make it: the title is a field of its own, and what was learnt tells which parts of names are rare."""
    return mixed(collection, splits, strong=True)


METHODS = {
    "warm": {"svc+names": svc_names, "svc": svc, "paperless": paperless_warm},
    "growing": {"mix": mix, "strong mix": mix_strong, "paperless": paperless_growing},
    "cold": {"names": names_cold},
}


def figures(collection, protocol, method, splits=None, seed=0):
    """What a method reaches in a protocol, as `emm eval --json` says it; the splits are a file."""
    begun = time.process_time()
    outcomes = METHODS[protocol][method](collection, collection.splits(splits), seed)
    return outcomes.figures(protocol == "growing") | {"asked": len(outcomes.truth), "cpu_s": time.process_time() - begun}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="has items.jsonl, jd.yaml and splits.json")
    parser.add_argument("methods", nargs="*", help="as protocol/method [default: all]")
    parser.add_argument("--splits", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    collection = Collection(options.folder)
    for protocol, method in [(protocol, method) for protocol in METHODS for method in METHODS[protocol]]:
        if not options.methods or f"{protocol}/{method}" in options.methods:
            found = figures(collection, protocol, method, options.splits, options.seed)
            print(json.dumps({"set": options.folder.name, "protocol": protocol, "method": method} | found), flush=True)


if __name__ == "__main__":
    sys.exit(main())
