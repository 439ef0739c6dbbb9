"""Reads what our program shows of a run with the programs that people use:
check.py PROGRAM DIR WANDB, where DIR is empty and WANDB is W&B's command."""

import csv
import glob
import gzip
import http.server
import json
import math
import os
import subprocess
import sys
import threading
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

program, dir, wandb = sys.argv[1:]
NUMBERS = {"NaN": math.nan, "+Inf": math.inf, "-Inf": -math.inf, "Infinity": math.inf, "-Infinity": -math.inf, "nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def check(name, good, why=""):
    print(("ok " if good else "FAIL ") + name + ("" if good else f": {str(why)[:600]}"), flush=True)


def value(v):
    """Makes values of different formats equal that mean the same."""
    v = NUMBERS.get(v, v) if isinstance(v, str) else v
    return "nan" if isinstance(v, float) and math.isnan(v) else v


def row(r):
    return {k: value(v) for k, v in r.items()}


def rows(name):
    return [json.loads(line) for line in open(f"{dir}/{name}.json")]


class Service(http.server.BaseHTTPRequestHandler):
    """As much of W&B's service as its own client needs to upload a run."""

    runs, history, summary, ended, strange = [], [], "", None, []

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.reply(self.answer(body) or {})

    do_PUT = do_POST

    def do_GET(self):
        self.reply({})

    def answer(self, body):
        cls = type(self)
        if self.path == "/graphql":
            query = json.loads(body)
            v = query.get("variables") or {}
            if "createRunFiles" in query["query"]:
                base = f"http://{self.headers['Host']}/upload/"
                files = [{"name": n, "uploadUrl": base + n} for n in v["files"]]
                return {"data": {"createRunFiles": {"runID": "Yg==", "uploadHeaders": [], "files": files}}}
            if "upsertBucket" not in query["query"]:
                return {"data": {}}
            cls.runs.append(v)
            project = {"id": "UA==", "name": v.get("project"), "entity": {"id": "RQ==", "name": "me"}}
            bucket = {"id": "Yg==", "name": v.get("name"), "displayName": v.get("displayName"), "config": "{}", "sweepName": None, "historyLineCount": 0, "project": project}
            return {"data": {"upsertBucket": {"bucket": bucket, "inserted": True}}}
        if self.path.endswith("/file_stream"):
            sent = json.loads(body)
            for name, part in (sent.get("files") or {}).items():
                if name == "wandb-history.jsonl":
                    if part["offset"] != len(cls.history):
                        cls.strange.append(f"rows at {part['offset']} after {len(cls.history)}")
                    cls.history += part["content"]
                elif name == "wandb-summary.json":
                    cls.summary = part["content"][-1]
            if sent.get("complete"):
                cls.ended = (self.path, sent.get("exitcode"))

    def reply(self, answer):
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def with_service(*command):
    """Runs a command with the service, and returns what the service got."""

    class Handler(Service):
        runs, history, summary, ended, strange = [], [], "", None, []

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    env = dict(os.environ, WANDB_API_KEY="0123456789" * 4, WANDB_BASE_URL=base, WANDB_ERROR_REPORTING="false", HOME=dir, XDG_CONFIG_HOME=dir)
    done = subprocess.run([c.replace("BASE", base) for c in command], env=env, capture_output=True, text=True, timeout=90)
    server.shutdown()
    return Handler, done


def uploaded(who, got, done, want):
    check(f"{who}: went well", done.returncode == 0 and got.ended and got.ended[1] == 0 and not got.strange, (done.stderr, got.ended, got.strange))
    first = got.runs[0] if got.runs else {}
    told = (first.get("project"), first.get("displayName"), first.get("tags"))
    check(f"{who}: the run", told == ("subnet-expert-test-moe", "[partial] rank0-foundation", ["foundation"]), told)
    config = {k: v["value"] for k, v in json.loads(first.get("config") or "{}").items() if k != "_wandb"}
    check(f"{who}: the settings", config == {"opt": {"lr": 1e-5}, "rules": "g3"}, config)
    history = [json.loads(line) for line in got.history]
    plain = [row({k: v for k, v in h.items() if k[0] != "_"}) for h in history]
    check(f"{who}: every row", plain == [row(w["row"]) for w in want], (len(plain), plain[:1]))
    check(f"{who}: steps", [h["_step"] for h in history] == list(range(len(want))))
    check(f"{who}: times", all(abs(h["_timestamp"] - w["at"]) < 1e-3 and h["_runtime"] >= 0 for h, w in zip(history, want)))
    summary = json.loads(got.summary or "{}")
    check(f"{who}: the summary", (summary.get("total_tokens"), summary.get("chain/submission_status"), summary.get("val_loss")) == (409600, "accepted", 3.5), summary)
    return set(map(frozenset, (h.keys() for h in history)))


def weights_and_biases():
    (run,) = glob.glob(dir + "/wandb/offline-run-*")
    got, done = with_service(wandb, "sync", "--yes", run)
    theirs = uploaded("wandb sync", got, done, rows("rows"))
    got, done = with_service(program, dir, "stream", "BASE")
    ours = uploaded("our stream", got, done, rows("stream"))
    check("our stream: the keys that wandb sync sends", ours == theirs, ours ^ theirs)
    keys = set().union(*ours)
    check("W&B: the guides' keys", {"train/loss", "chain/w_i_score", "chain/submission_status"} <= keys, keys)
    (run,) = glob.glob(dir + "/wandb/run-*")
    got, done = with_service(wandb, "sync", "--yes", "--include-online", run)
    uploaded("wandb sync of an online run", got, done, rows("stream"))


def cut_short():
    """A run that was killed is uploaded as far as it came."""
    (path,) = glob.glob(dir + "/wandb/offline-run-*/run-*.wandb")
    data = open(path, "rb").read()
    cut = dir + "/cut/offline-run-20261121_000000-aaaaaaaa"
    os.makedirs(cut + "/files")
    with open(cut + "/run-aaaaaaaa.wandb", "wb") as f:
        f.write(data[: len(data) * 2 // 3])
    got, done = with_service(wandb, "sync", "--yes", cut)
    want = [row(w["row"]) for w in rows("rows")]
    plain = [row({k: v for k, v in json.loads(h).items() if k[0] != "_"}) for h in got.history]
    check("wandb sync of a killed run", len(plain) > len(want) // 2 and plain == want[: len(plain)], (len(plain), done.stderr))


def comma_separated():
    with open(dir + "/metrics.csv", newline="") as f:
        got = list(csv.DictReader(f))
    want = [w["row"] for w in rows("rows")]
    same = len(got) == len(want)
    for g, w in zip(got, want):
        for name, text in g.items():
            have = value(w.get(name, ""))
            same = same and (text == "" if have == "" else value(text) == have or float(text) == have)
    check("csv: every row", same, got[:1])
    upstream = "step inner_opt_step global_opt_step lr total_samples total_tokens inner_step_time_hours total_training_time_hours tokens_per_second loss perplexity expert_group_name gradient_accumulation_steps grad_norm val_loss nan_batches scored_batches"
    check("csv: upstream's columns", [c for c in got[0] if c in upstream.split()] == upstream.split(), list(got[0]))


def tensorboard():
    (path,) = glob.glob(dir + "/tensorboard/events.out.tfevents.*")
    events = list(EventFileLoader(path).Load())
    check("TensorBoard: version", events[0].file_version == "brain.Event:2", events[0])
    got = []
    for e in events[1:]:
        got.append((e.step, {v.tag: value(v.tensor.float_val[0] if v.HasField("tensor") else v.simple_value) for v in e.summary.value}, e.wall_time))
    want, step = [], 0
    for w in rows("rows"):
        r = w["row"]
        step = r.get("step", step)
        scalars = {k: value(r[k]) for k in w["fresh"] if k != "step" and not isinstance(value(r[k]), str) or value(r[k]) == "nan"}
        want.append((step, scalars, w["at"]))
    good = len(got) == len(want)
    for g, w in zip(got, want):
        good = good and g[0] == w[0] and g[1].keys() == w[1].keys() and abs(g[2] - w[2]) < 1e-3
        good = good and all(a == b or isinstance(a, float) and math.isclose(a, b, rel_tol=1e-6) for a, b in ((g[1][k], w[1][k]) for k in w[1]))
    check("TensorBoard: every scalar", good, (len(got), len(want), got[:1], want[:1]))


def prometheus():
    p = subprocess.Popen([program, dir, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    told = json.loads(p.stdout.readline())
    names = told["names"]
    for kind, accept, parse in (("text", "text/plain; version=0.0.4", parse_text), ("OpenMetrics", "application/openmetrics-text; version=1.0.0", parse_openmetrics)):
        request = urllib.request.Request(f"http://{told['addr']}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            text, content = answer.read().decode(), answer.headers["Content-Type"]
        families = {f.name: f for f in parse(text)}
        check(f"Prometheus, {kind}: parses", content.startswith(accept.split(";")[0]), content)
        found = {n: families[n].type for n in names if n in families and families[n].samples}
        check(f"Prometheus, {kind}: every metric", found == names, set(names) - set(found))
        labels = {v for f in families.values() for s in f.samples for v in s.labels.values() if "quoted" in v}
        check(f"Prometheus, {kind}: labels unharmed", labels == {'a "quoted" \\ text\nof two lines'}, labels)
        check(f"Prometheus, {kind}: counters end in _total", all(s.name.endswith("_total") for n, t in names.items() if t == "counter" for s in families[n].samples))
        buckets = [(float(s.labels["le"]), s.value) for s in families["chain_commit_latency_seconds"].samples if s.name.endswith("_bucket")]
        check(f"Prometheus, {kind}: buckets", buckets == sorted(buckets) and buckets[-1] == (math.inf, 1) and dict(buckets)[2.5] == 1 and dict(buckets)[1.0] == 0, buckets)
    p.stdin.close()
    check("Prometheus: ends", p.wait(10) == 0)


subprocess.run([program, dir, "rows"], check=True, capture_output=True)
for part in (comma_separated, tensorboard, prometheus, weights_and_biases, cut_short):
    try:
        part()
    except Exception as e:
        check(part.__name__, False, repr(e))
