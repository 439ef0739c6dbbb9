"""The checks of run.sh: a client as upstream's against our checkpoint server, and our
client against a server as upstream's."""

import base64
import hashlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import requests
import sr25519

DRIVER, WORK = sys.argv[1], Path(sys.argv[2])
HERE = Path(__file__).parent
passed = failed = 0


def check(name, call):
    global passed, failed
    try:
        call()
        passed += 1
        print("ok  ", name)
    except Exception:
        failed += 1
        print("FAIL", name)
        traceback.print_exc(file=sys.stdout)


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got!r:.300}, want {want!r:.300}")


class Validator:
    """Our validator, in a process of its own."""

    def __init__(self, name, rules, **env):
        self.dir = WORK / name
        self.events = []
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            [DRIVER, "validate", str(self.dir), rules], stdout=subprocess.PIPE, text=True, env={**os.environ, **env}
        )
        threading.Thread(target=self.read, daemon=True).start()
        self.hello = self.event("hello")
        self.url = self.hello["url"]
        seed = bytes.fromhex(self.hello["miner_seed"])
        self.public, self.private = sr25519.pair_from_seed(seed)
        self.key = bytes.fromhex(self.hello["validator_key"])
        self.best = (self.dir / "best.pt").read_bytes()
        self.base = (self.dir / f"globalver_{self.hello['version']}" / "model_expgroup_0.pt").read_bytes()
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", int(self.url.rsplit(":", 1)[1])), 1).close()
                break
            except OSError:
                time.sleep(0.1)

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def event(self, kind, seconds=30):
        end = time.time() + seconds
        while True:
            for e in self.events:
                if e["kind"] == kind:
                    return e
            self.events.append(self.lines.get(timeout=max(0.1, end - time.time())))

    def head(self, block):
        requests.post(f"{self.hello['control']}/head/{block}", timeout=10).raise_for_status()
        self.block = block

    def commit(self, block, text):
        requests.post(f"{self.hello['control']}/commit/{self.hello['miner']}/{block}", data=text, timeout=10).raise_for_status()

    def sign(self, message):
        signature = sr25519.sign((self.public, self.private), message)
        return base64.urlsafe_b64encode(signature).decode().rstrip("=")

    def fields(self, block, **other):
        message = self.key + block.to_bytes(8, "big")
        return {
            "target_hotkey_ss58": self.hello["validator"],
            "origin_hotkey_ss58": self.hello["miner"],
            "origin_block": block,
            "signature": self.sign(message),
            "expert_group_id": 0,
        } | other

    def get(self, headers=None, **other):
        data = self.fields(self.block)
        for name, value in other.items():
            data[name] = value
        data = {k: v for k, v in data.items() if v is not None}
        return requests.get(f"{self.url}/get-checkpoint", data=data, headers=headers, stream=True, timeout=30)

    def submit(self, content=None, filename="model_expgroup_0.pt", headers=None, block=None, **other):
        block = self.block if block is None else block
        message = self.key + block.to_bytes(8, "big")
        data = {
            "target_hotkey_ss58": self.hello["validator"],
            "origin_hotkey_ss58": self.hello["miner"],
            "origin_block": block,
            "signature": self.sign(bytes.fromhex(self.hello["hash"]) + message),
            "model_hex": self.hello["hash"],
            "block_hex": message.hex(),
        } | other
        data = {k: v for k, v in data.items() if v is not None}
        content = self.best if content is None else content
        return requests.post(
            f"{self.url}/submit-checkpoint",
            data=data,
            files={"file": (filename, content, "application/octet-stream")},
            headers={"Authorization": "Bearer "} if headers is None else headers,
            timeout=300,
        )

    def prepare(self):
        """Puts the miner's two commitments on chain and goes to the Submission phase."""
        starts = self.hello["starts"]
        hash = self.hello["hash"]
        self.commit(starts["MinerCommit1"], json.dumps({"m": self.sign(hash.encode())}))
        second = {"b": None, "e": 0, "m": None, "h": hash, "v": self.hello["version"], "i": None}
        self.commit(starts["MinerCommit2"] + 2, json.dumps(second))

    def end(self):
        self.process.kill()
        self.process.wait()


def refused(answer, status, detail):
    equal((answer.status_code, answer.headers.get("content-type")), (status, "application/json"))
    got = answer.json()
    if callable(detail):
        if not detail(got["detail"]):
            raise AssertionError(got)
    else:
        equal(got, {"detail": detail})


def server(v):
    start = v.hello["starts"]
    v.block = start["Train"]

    def roots():
        root = requests.get(v.url + "/", timeout=10).json()
        equal((root["name"], root["version"], sorted(root)), (v.hello["validator"], "0.0.0", ["auth", "endpoints", "name", "service", "version"]))
        equal(requests.get(v.url + "/ping", timeout=10).json(), {"status": "ok"})
        equal(requests.get(v.url + "/status", timeout=10).json(), None)
        refused(requests.get(v.url + "/docs-of-nothing", timeout=10), 404, "Not Found")
        refused(requests.post(v.url + "/ping", timeout=10), 405, "Method Not Allowed")

    def download():
        answer = v.get()
        equal(answer.status_code, 200)
        got = b"".join(answer.iter_content(1 << 20))
        equal(hashlib.sha256(got).hexdigest(), hashlib.sha256(v.base).hexdigest())
        h = answer.headers
        equal(
            (h["content-type"], h["cache-control"], h["x-accel-buffering"], int(h["content-length"])),
            ("application/octet-stream", "no-store", "no", len(v.base)),
        )
        equal(f"step{v.hello['version']}" in h["content-disposition"] and "last-modified" in h, True)

    def ranges():
        answer = v.get({"Range": "bytes=1000-"})
        equal((answer.status_code, answer.content == v.base[1000:]), (206, True))
        equal(answer.headers["content-range"], f"bytes 1000-{len(v.base) - 1}/{len(v.base)}")
        equal(v.get({"Range": f"bytes={len(v.base)}-"}).status_code, 416)

    def by_query():
        answer = requests.get(f"{v.url}/get-checkpoint", params=v.fields(v.block), timeout=30)
        equal((answer.status_code, len(answer.content)), (200, len(v.base)))

    check("GET /, /ping, /status, and what there is not", roots)
    check("download by a form in a GET's body", download)
    check("ranges: 206, 416", ranges)
    check("download by query", by_query)
    for name, other, status, text in [
        ("bad signature", {"signature": "A" * 86}, 403, "Invalid checkpoint download signature"),
        ("unsigned target", {"target_hotkey_ss58": v.hello["miner"]}, 403, "Invalid checkpoint download signature"),
        ("old block, badly signed", {"origin_block": 1}, 403, "Invalid checkpoint download signature"),
        ("no such file", {"expert_group_id": 7}, 404, "Checkpoint not found: model_expgroup_7.pt"),
        ("shared", {"expert_group_id": "shared"}, 404, "Checkpoint not found: model_shared.pt"),
        ("whole model", {"expert_group_id": None}, 404, "Checkpoint not found: model.pt"),
        ("no number", {"expert_group_id": "x"}, 422, lambda d: True),
        ("no block", {"origin_block": None}, 422, lambda d: True),
    ]:
        check(f"download: {name}", lambda: refused(v.get(**other), status, text))

    def other_target():
        other = sr25519.pair_from_seed(bytes.fromhex(v.hello["miner_seed"]))[0]
        message = other + v.block.to_bytes(8, "big")
        answer = v.get(target_hotkey_ss58=v.hello["miner"], signature=v.sign(message))
        refused(answer, 403, "Submission target hotkey does not match this validator")

    check("download: another target, well signed", other_target)

    # Submissions, from the first check to the last.
    check("submission: target", lambda: refused(
        v.submit(target_hotkey_ss58=v.hello["miner"]), 403,
        f"Submission target hotkey does not match this validator (expected={v.hello['validator']}, received={v.hello['miner']})"))
    check("submission: phase", lambda: refused(
        v.submit(), 409, lambda d: d.startswith("Submissions are only accepted during submission phase (current_phase=Train, block=")))
    v.prepare()
    v.head(start["Submission"] + 2)
    check("submission: origin block", lambda: refused(
        v.submit(block=start["Submission"] - 1), 400, lambda d: d.startswith("Origin block is not within the submission phase (")))
    check("submission: not assigned", lambda: refused(
        v.submit(origin_hotkey_ss58=v.hello["validator"]), 403, lambda d: d.startswith("Miner is not assigned to this validator (")))
    check("submission: no model_hex", lambda: equal(v.submit(model_hex=None).status_code, 500))
    check("submission: name", lambda: refused(v.submit(filename="mo del.pt"), 400, "Unsafe filename"))
    check("submission: extension", lambda: refused(v.submit(filename="model.exe"), 400, "Unsupported file extension: .exe"))
    failed_checks = "Submitted checkpoint failed validation."
    check("submission: other content", lambda: refused(v.submit(v.base), 400, failed_checks))
    check("submission: no checkpoint", lambda: refused(v.submit(os.urandom(300_000)), 400, failed_checks))
    check("submission: signature", lambda: refused(v.submit(signature="A" * 86), 400, failed_checks))
    check("submission: hash of another", lambda: refused(v.submit(model_hex="ab" * 24), 400, failed_checks))
    check("submission: no field", lambda: refused(v.submit(signature=None), 422, lambda d: True))
    check("nothing refused is kept", lambda: equal(kept(v), []))

    def good():
        answer = v.submit()
        equal(answer.status_code, 200)
        name = f"hotkey_{v.hello['miner']}_block_{v.block}.pt"
        got = answer.json()
        equal(
            {**got, "stored_path": got["stored_path"].rsplit("/", 1)[1]},
            {"status": "ok", "stored_path": name, "bytes": len(v.best), "sha256": hashlib.sha256(v.best).hexdigest()},
        )
        equal(kept(v), [name])

    check("submission", good)
    check("submission: twice", lambda: refused(v.submit(), 409, lambda d: d.startswith("Miner already submitted during this phase (")))

    def evaluated():
        v.head(start["Merge"] - 1)
        v.head(start["Merge"])
        e = v.event("evaluated")
        equal((e["attrs"]["uid"], e["attrs"]["eval_loss"]), ("1", "2.5"))

    check("the validator evaluates what was posted", evaluated)


def kept(v):
    folder = v.dir / "miner_submission"
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def guarded(v):
    v.block = v.hello["starts"]["Train"]
    ping = lambda **h: requests.get(v.url + "/ping", headers=h, timeout=10)
    check("token: none", lambda: refused(ping(), 401, "Missing or invalid Authorization header"))
    check("token: no bearer", lambda: refused(ping(Authorization="Basic x"), 401, "Missing or invalid Authorization header"))
    check("token: wrong", lambda: refused(ping(Authorization="Bearer x"), 403, "Forbidden"))
    check("token", lambda: equal(ping(Authorization="Bearer secret").json(), {"status": "ok"}))
    v.prepare()
    v.head(v.hello["starts"]["Submission"] + 2)
    check("token: submission", lambda: refused(v.submit(), 401, "Missing or invalid Authorization header"))
    known = {"Authorization": "Bearer secret"}
    check("submission: too large", lambda: refused(v.submit(headers=known), 413, "Submission too large: limit 100000 bytes"))
    check("submission: far too large", lambda: refused(
        v.submit(bytes(20_000_000), headers=known), 413, "Submission too large: limit 100000 bytes"))
    check("nothing of it is kept", lambda: equal(kept(v), []))


def client(rules, hello):
    """Our miner against a server as upstream's."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    folder = WORK / "miner"
    record = WORK / "record.json"
    miner_key = sr25519.pair_from_seed(bytes.fromhex(hello["miner_seed"]))[0].hex()
    base = WORK / "server" / f"globalver_{hello['version']}" / "model_expgroup_0.pt"
    peer = subprocess.Popen(
        [sys.executable, HERE / "peer.py", base, record, hello["validator"], hello["validator_key"], hello["miner"], miner_key, str(port)],
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        done = subprocess.run([DRIVER, "model-io", str(folder), rules, f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=120)
    finally:
        peer.kill()
        peer.wait()
    events = [json.loads(line) for line in done.stdout.splitlines()]
    seen = json.loads(record.read_text()) if record.exists() else {"downloads": [], "submissions": []}
    if done.returncode != 0:
        print(done.stderr)

    def downloads():
        equal([d["good"] for d in seen["downloads"]], [True, True])
        first, second = seen["downloads"]
        equal((first["target"], first["origin"], first["group"], first["range"]), (hello["validator"], hello["miner"], "0", None))
        equal(second["range"], f"bytes={base.stat().st_size // 2}-")
        got = list((folder / "validator_checkpoint").glob("uid_0_*/model_expgroup_0.pt"))
        equal([p.read_bytes() == base.read_bytes() for p in got], [True])

    def submissions():
        best = WORK / "server" / "best.pt"
        equal(len(seen["submissions"]), 2)
        for s in seen["submissions"]:
            equal((s["good"], s["block"], s["padding"]), (True, True, False))
            equal((s["target"], s["origin"], s["model_hex"]), (hello["validator"], hello["miner"], hello["hash"]))
            equal(s["filename"], "model_expgroup_0.pt")
            equal(s["sha256"], hashlib.sha256(best.read_bytes()).hexdigest())
            equal(int(s["length"]) > best.stat().st_size, True)
            start = hello["starts"]["Submission"]
            equal(start <= s["origin_block"] < start + 20, True)

    def told():
        texts = [e["text"] for e in events]
        for want in ["Downloaded checkpoint (verified)", "<submission> submitted model", "<submission> task completed."]:
            equal((want, texts.count(want)), (want, 1))

    check("our client downloads, and goes on where it was cut off", downloads)
    check("our client submits, again after a 503, and once", submissions)
    check("our client says so in the words of the guide", told)


def main():
    one = Validator("server", "g2-472")
    try:
        server(one)
    finally:
        one.end()
    two = Validator("guarded", "g2-472", AUTH_TOKEN="secret", MAX_SUBMISSION_BYTES="100000")
    try:
        guarded(two)
    finally:
        two.end()
    client("g2-472", one.hello)


try:
    main()
except Exception:
    traceback.print_exc(file=sys.stdout)
    failed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(0 if passed and not failed else 1)
