"""Reads our offline run with the reader of W&B's own client, which checks every
checksum and parses every record: reader.py DIR, after check.py."""

import glob
import json
import sys

import wandb
from wandb.proto import wandb_internal_pb2 as pb
from wandb.sdk.internal import datastore

wandb._assert_is_internal_process = True


def check(name, good, why=""):
    print(("ok " if good else "FAIL ") + name + ("" if good else f": {why}"))


def main(dir):
    (path,) = glob.glob(dir + "/wandb/offline-run-*/run-*.wandb")
    want = [json.loads(line) for line in open(dir + "/rows.json")]
    store = datastore.DataStore()
    store.open_for_scan(path)
    records = []
    while (data := store.scan_data()) is not None:
        record = pb.Record()
        record.ParseFromString(data)
        records.append(record)
    kinds = [r.WhichOneof("record_type") for r in records]
    check("W&B's reader: every record", kinds == ["header", "run"] + ["history", "summary"] * len(want) + ["exit"], kinds[:9])
    check("W&B's reader: numbered", [r.num for r in records] == list(range(1, len(records) + 1)))
    size = len(open(path, "rb").read())
    check("W&B's reader: over several blocks", size > 4 * datastore.LEVELDBLOG_BLOCK_LEN, size)
    run = records[1].run
    got = (run.project, run.display_name, list(run.tags), path.endswith(f"/run-{run.run_id}.wandb"))
    check("W&B's reader: the run", got == ("subnet-expert-test-moe", "[partial] rank0-foundation", ["foundation"], True), got)
    config = {c.key: json.loads(c.value_json) for c in run.config.update}
    check("W&B's reader: the settings", config == {"opt": {"lr": 1e-5}, "rules": "g3"}, config)
    rows = [{i.key: json.loads(i.value_json) for i in r.history.item} for r in records if r.WhichOneof("record_type") == "history"]
    names = {"NaN": "NaN", "+Inf": "Infinity", "-Inf": "-Infinity"}
    plain = [{k: names.get(v, v) if isinstance(v, str) else v for k, v in w["row"].items()} for w in want]
    check("W&B's reader: every row", [{k: v for k, v in r.items() if k[0] != "_"} for r in rows] == plain)
    check("W&B's reader: steps", [r["_step"] for r in rows] == list(range(len(want))) == [r.history.step.num for r in records if r.WhichOneof("record_type") == "history"])
    check("W&B's reader: unknown fields", not any(unknown(r) for r in records))


def unknown(message):
    """Says whether a message holds a field that W&B does not know."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type and any(unknown(m) for m in (value if not hasattr(value, "ListFields") else [value])):
            return True
    return False


main(sys.argv[1])
