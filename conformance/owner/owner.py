"""Asks 'adit owner serve' as the network's own client does.

The numbers are computed here anew, from the height and the lengths of the phases
alone. Whatever is said of one answer must hold of all: they are asked at a fixed
height in the query, and at the head as well.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import requests
import yaml

NINE = ["Distribute", "Train", "MinerCommit1", "MinerCommit2", "Submission", "Validate", "Merge", "ValidatorCommit1", "ValidatorCommit2"]
SIX = ["Distribute", "Train", "Commit", "Submission", "Validate", "Merge"]
FOUR = ["Distribute", "Train", "Commit", "Submit"]
GENERATIONS = {
    "g0": (SIX, [2, 10, 3, 10, 10, 10]),
    "g1": (FOUR, [5, 30, 5, 5]),
    "g2-472": (NINE, [20, 300, 8, 8, 20, 50, 50, 8, 8]),
    "g2": (NINE, [20, 300, 10, 10, 60, 10, 50, 10, 10]),
    "g3": (NINE, [20, 300, 10, 10, 80, 10, 50, 10, 10]),
    "g4": (NINE, [20, 340, 11, 11, 60, 10, 50, 11, 11]),
}
HOTKEYS = [
    "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
    "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
]
NO_RETRY = {400, 401, 403, 404, 405, 409, 422}

passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    if ok:
        passed += 1
        print(f"ok   {name}")
    else:
        failed += 1
        print(f"FAIL {name} {detail}")


def call(url, retries=5, timeout=10, backoff=0.05):
    """The network's client: nothing where the service says no or does not answer."""
    for attempt in range(1, retries + 2):
        try:
            r = requests.get(url, timeout=timeout)
            r.raise_for_status()
            return r.json()
        except requests.HTTPError as e:
            if e.response.status_code in NO_RETRY:
                return None
        except requests.RequestException:
            pass
        time.sleep(backoff**attempt if backoff > 1 else backoff)
    return None


def start(args, events):
    with open(events, "wb") as out:
        return subprocess.Popen(args, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, f, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        if v := f():
            return v
        time.sleep(0.1)
    raise SystemExit(f"{what} did not come")


class Service:
    """A phase service, for the length of a with."""

    def __init__(self, adit, work, network, *args):
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.log = work / "owner.log"
        self.process = start([adit, "owner", "serve", "--network", network, "--netuid", "1", "--port", str(port), *map(str, args)], self.log)

    def __enter__(self):
        def up():
            if self.process.poll() is not None:
                raise SystemExit(self.log.read_text())
            with contextlib.suppress(requests.RequestException):
                return requests.get(self.url, timeout=1).ok

        wait_for("the phase service", up)
        return self

    def __exit__(self, *_):
        self.status = self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)


def phase_at(names, lengths, block):
    """What /get_phase must say."""
    cycle = sum(lengths)
    index, at = divmod(block, cycle)
    start = 0
    for i, (name, n) in enumerate(zip(names, lengths)):
        if at < start + n:
            return {
                "block": block, "cycle_length": cycle, "cycle_index": index, "cycle_block_index": at, "phase_name": name, "phase_index": i,
                "phase_start_block": index * cycle + start, "phase_end_block": index * cycle + start + n - 1,
                "blocks_into_phase": at - start, "blocks_remaining_in_phase": start + n - 1 - at,
            }
        start += n


def next_starts(names, lengths, block):
    cycle, start, out = sum(lengths), 0, {}
    for name, n in zip(names, lengths):
        first = block // cycle * cycle + start
        if first < block:
            first += cycle
        out[name] = (first, first + n - 1)
        start += n
    return out


def until(rules, names, lengths, block):
    spans = next_starts(names, lengths, block)
    if rules == "g0":
        return {k: a - block for k, (a, _) in spans.items()}
    return {k: [a, b, a - block] for k, (a, b) in spans.items()}


def previous(rules, names, lengths, block):
    cycle, out = sum(lengths), {}
    for name, (a, b) in next_starts(names, lengths, block).items():
        a, b = a - cycle, b - cycle
        if rules == "g0" and b >= block:
            a, b = a - cycle, b - cycle
        out[name] = [a, b]
    return out


def check_phases(url, rules, names, lengths):
    cycle = sum(lengths)
    blocks = [0, 1, cycle - 1, cycle, 8081340, 8081341, 8081470, 10_000_000] + [7 * cycle + sum(lengths[:i]) + d for i in range(len(lengths)) for d in (-1, 0, 1)]
    wrong = []
    for b in blocks:
        for path, want in (("get_phase", phase_at), ("blocks_until_next_phase", None), ("previous_phase_blocks", None)):
            got = call(f"{url}/{path}?block={b}")
            want = phase_at(names, lengths, b) if want else (until if path.startswith("blocks") else previous)(rules, names, lengths, b)
            if got != want or list(got) != list(want):
                wrong.append((b, path, got, want))
    check(f"{rules}: phases of {len(blocks)} blocks", not wrong, wrong[:1])

    root = call(url)
    table = [{"index": i, "name": k, "length": n} for i, (k, n) in enumerate(zip(names, lengths))]
    check(f"{rules}: the table", root["phases"] == table and root["cycle_length"] == cycle and root["message"] == "Phase service is running" and "usage" in root, root)

    # At the head: the answer is of one height, and that moves on.
    first = call(url + "/get_phase")
    check(f"{rules}: the phase of the head", first == phase_at(names, lengths, first["block"]), first)
    check(f"{rules}: numbers are integers", all(type(v) is int for k, v in first.items() if k != "phase_name") and type(first["phase_name"]) is str, first)
    again = wait_for("the next block", lambda: (p := call(url + "/get_phase"))["block"] > first["block"] and p)
    check(f"{rules}: the head moves", again == phase_at(names, lengths, again["block"]), again)


def head_of(network):
    """The chain's own height, asked for without the service."""
    r = requests.post(network.replace("ws://", "http://"), json={"jsonrpc": "2.0", "id": 1, "method": "chain_getHeader", "params": []}, timeout=10)
    return int(r.json()["result"]["number"], 16)


def bundle_sum(b):
    body = {k: b[k] for k in ("name", "config", "expert_assignment", "shard_policy")}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_lists(adit, work, network):
    whitelist, peers, task = work / "validators.json", work / "peers.json", work / "expert_groups" / "exp_law"
    whitelist.write_text(json.dumps(HOTKEYS))
    peers.write_text(json.dumps(["/ip4/127.0.0.1/tcp/7002/p2p/12D3KooW"]))
    task.mkdir(parents=True)
    config = {"group_id": 7, "data": {"dataset_name": "allenai/c4", "lr": 1e-05, "vali_fraction": 0.1, "one": 1.0, "dataset_sources": [{"path": "a/ü", "weight": 0.5}], "none": None, "on": True}}
    (task / "config.yaml").write_text(yaml.safe_dump(config))
    (task / "expert_assignment.json").write_text(json.dumps({"1": [[0, 22], [1, 17]], "10": [[0, 3], [1, 5]]}))
    (task / "shard_policy.json").write_text(json.dumps({"floor": 340000, "share": 0.25}))

    with Service(adit, work, network, "--rules", "g4", "--whitelist", whitelist, "--peer-ids", peers, "--task", task) as s:
        check("whitelist", call(s.url + "/get_validator_whitelist") == HOTKEYS)
        whitelist.write_text("# one is left\n" + HOTKEYS[1] + "\n")
        check("whitelist after an edit", call(s.url + "/get_validator_whitelist") == HOTKEYS[1:])
        whitelist.write_text('["nobody"]')
        r = requests.get(s.url + "/get_validator_whitelist", timeout=10)
        check("whitelist that is none", r.status_code == 500 and "nobody" in r.json()["detail"], r.text)
        whitelist.unlink()
        check("whitelist that is gone", call(s.url + "/get_validator_whitelist") == [])
        check("first peers", call(s.url + "/get_init_peer_id") == ["/ip4/127.0.0.1/tcp/7002/p2p/12D3KooW"])
        told, bundle = call(s.url + "/active_task"), call(s.url + "/active_task_bundle")
        check("active task", told == {"name": "exp_law", "group_id": 7, "bundle_sha256": bundle["bundle_sha256"]}, told)
        check("bundle", bundle["config"] == config and bundle["expert_assignment"]["10"] == [[0, 3], [1, 5]] and bundle["shard_policy"]["floor"] == 340000, bundle)
        check("bundle's hash as Python computes it", bundle_sum(bundle) == told["bundle_sha256"], bundle)
        (task / "expert_assignment.json").write_text(json.dumps({"1": [[0, 23]]}))
        check("another task after an edit", call(s.url + "/active_task")["bundle_sha256"] != told["bundle_sha256"])
        r = requests.get(s.url + "/nothing", timeout=10)
        check("no such path", r.status_code == 404 and r.json() == {"detail": "Not Found"}, r.text)
        r = requests.post(s.url + "/get_phase", timeout=10)
        check("no such method", r.status_code == 405 and r.json() == {"detail": "Method Not Allowed"} and r.headers["allow"] == "GET", r.text)
        r = requests.get(s.url + "/get_phase?block=soon", timeout=10)
        check("no such block", r.status_code == 400 and list(r.json()) == ["detail"], r.text)
        check("a client does not ask again", call(s.url + "/get_phase?block=soon", backoff=60) is None)
        check("JSON by its type", requests.get(s.url + "/get_phase", timeout=10).headers["content-type"] == "application/json")
    check("Ctrl-C ends it cleanly", s.status == 0, s.log.read_text())
    check("and its port is free", call(s.url, retries=0) is None)

    with Service(adit, work, network, "--rules", "g3", "--whitelist", ",".join(HOTKEYS), "--phases", "5,60,4,4,10,5,5,4,4") as s:
        check("whitelist on the command line", call(s.url + "/get_validator_whitelist") == HOTKEYS)
        check("nothing else is there", call(s.url + "/get_init_peer_id") == [] and call(s.url + "/active_task") is None and requests.get(s.url + "/active_task_bundle", timeout=10).status_code == 404)
        check_phases(s.url, "g3", NINE, [5, 60, 4, 4, 10, 5, 5, 4, 4])


def main(adit, work):
    chain = start([adit, "chain", "serve", "--dir", str(work / "chain"), "--port", "0", "--block-time", "250ms", "--json"], work / "chain.log")
    try:
        network = wait_for("the chain", lambda: next((e.get("url") for e in map(json.loads, (work / "chain.log").read_text().splitlines()) if e.get("url")), None))
        for rules, (names, lengths) in GENERATIONS.items():
            with Service(adit, work, network, "--rules", rules) as s:
                check_phases(s.url, rules, names, lengths)
                low = head_of(network)
                told = call(s.url + "/get_phase")["block"]
                check(f"{rules}: the height is the chain's", low <= told + 2 and told <= head_of(network) + 1, (low, told))
        check_lists(adit, work, network)
        with Service(adit, work, network, "--rules", "g3") as s:
            chain.kill()
            chain.wait()
            def gone():
                r = requests.get(s.url + "/get_phase", timeout=10)
                return [r] if r.status_code != 200 else None  # a response of an error is no truth

            [r] = wait_for("an answer without the chain", gone)
            check("without the chain: come again, in time", r.status_code == 503 and list(r.json()) == ["detail"], r.text)
            check("without the chain: the table is there all the same", call(s.url)["cycle_length"] == 500)
        check("without the chain: it ends all the same", s.status == 0, s.log.read_text())
    finally:
        if chain.poll() is None:
            chain.terminate()
            chain.wait()
    print(f"{passed} passed, {failed} failed")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])))
