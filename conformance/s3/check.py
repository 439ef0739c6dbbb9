"""The checks of run.sh: boto3 against the local object store, as Templar uses it,
and our client at the same bucket."""

import hashlib
import io
import os
import random
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import boto3
import botocore
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

S3, WORK, URL = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
WORK.mkdir(parents=True)
READER = ("00000000000000000000000000000001", "0" * 63 + "1")
WRITER = ("00000000000000000000000000000002", "0" * 63 + "2")
MB = 1 << 20


def client(key=None, region="us-east-1", **config):
    """A client as Templar makes one: v4 signatures, a pool, and its retries."""
    if key is None:
        config["signature_version"] = botocore.UNSIGNED
    return boto3.client(
        "s3",
        endpoint_url=URL,
        region_name=region,
        aws_access_key_id=key and key[0],
        aws_secret_access_key=key and key[1],
        config=Config(max_pool_connections=16, retries={"max_attempts": 2}, tcp_keepalive=True, **config),
    )


w, r, nobody = client(WRITER, region="enam"), client(READER, region="auto"), client()


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def go(*args, ok=True):
    done = subprocess.run([S3, *map(str, args)], capture_output=True, text=True, timeout=120)
    if ok and done.returncode != 0:
        raise AssertionError(f"s3 {args[0]}: {done.stderr.strip()}")
    return done.stdout.strip() if ok else done.stderr.strip()


def refused(code, call, **kw):
    try:
        call(**kw)
    except ClientError as err:
        got = err.response["Error"]["Code"]
        if got not in code.split("|"):
            raise AssertionError(f"refused with {got}, want {code}") from None
        return err
    raise AssertionError(f"not refused with {code}")


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got!r:.200}, want {want!r:.200}")


def body(c, key, **kw):
    return c.get_object(Bucket="gradients", Key=key, **kw)["Body"].read()


checks = []


def check(f):
    checks.append(f)
    return f


@check
def put_object_and_get_object():
    for size in (0, 1, 5000, 3 * MB):
        data = noise(size, size)
        said = w.put_object(Bucket="gradients", Key=f"put-{size}", Body=data)
        equal(said["ETag"], f'"{hashlib.md5(data).hexdigest()}"')
        equal(body(r, f"put-{size}"), data)


@check
def a_stream_and_metadata():
    data = noise(7, 200_000)
    w.put_object(Bucket="gradients", Key="stream", Body=io.BytesIO(data), Metadata={"window": "51803"}, ContentType="application/x-pt")
    head = r.head_object(Bucket="gradients", Key="stream")
    equal((head["Metadata"], head["ContentType"], head["ContentLength"]), ({"window": "51803"}, "application/x-pt", len(data)))
    equal(body(r, "stream"), data)


@check
def upload_file_in_parts():
    path = WORK / "large"
    data = noise(1, 20 * MB + 12345)
    path.write_bytes(data)
    w.upload_file(str(path), "gradients", "large", Config=TransferConfig(multipart_threshold=8 * MB, multipart_chunksize=8 * MB, max_concurrency=4))
    head = r.head_object(Bucket="gradients", Key="large")
    equal(head["ContentLength"], len(data))
    sums = b"".join(hashlib.md5(data[i : i + 8 * MB]).digest() for i in range(0, len(data), 8 * MB))
    equal(head["ETag"], f'"{hashlib.md5(sums).hexdigest()}-3"')
    r.download_file("gradients", "large", str(WORK / "large.back"), Config=TransferConfig(multipart_threshold=8 * MB, multipart_chunksize=4 * MB))
    equal((WORK / "large.back").read_bytes() == data, True)


@check
def parts_by_hand():
    """As tests of Templar do it, with an upload that is taken back too."""
    up = w.create_multipart_upload(Bucket="gradients", Key="by-hand")["UploadId"]
    pieces = [noise(2, 5 * MB), noise(3, 100)]
    parts = [
        {"PartNumber": i + 1, "ETag": w.upload_part(Bucket="gradients", Key="by-hand", UploadId=up, PartNumber=i + 1, Body=p)["ETag"]}
        for i, p in enumerate(pieces)
    ]
    equal([p["PartNumber"] for p in w.list_parts(Bucket="gradients", Key="by-hand", UploadId=up)["Parts"]], [1, 2])
    w.complete_multipart_upload(Bucket="gradients", Key="by-hand", UploadId=up, MultipartUpload={"Parts": parts})
    equal(body(r, "by-hand"), b"".join(pieces))
    up = w.create_multipart_upload(Bucket="gradients", Key="taken-back")["UploadId"]
    w.upload_part(Bucket="gradients", Key="taken-back", UploadId=up, PartNumber=1, Body=b"x")
    w.abort_multipart_upload(Bucket="gradients", Key="taken-back", UploadId=up)
    refused("NoSuchUpload", w.upload_part, Bucket="gradients", Key="taken-back", UploadId=up, PartNumber=1, Body=b"x")
    refused("404", r.head_object, Bucket="gradients", Key="taken-back")


@check
def head_and_its_date():
    said = w.put_object(Bucket="gradients", Key="dated", Body=b"x")
    head = r.head_object(Bucket="gradients", Key="dated")
    date = said["ResponseMetadata"]["HTTPHeaders"]["date"]
    equal(head["LastModified"].tzinfo is not None, True)
    from email.utils import parsedate_to_datetime

    equal(abs((head["LastModified"] - parsedate_to_datetime(date)).total_seconds()) <= 1, True)
    refused("404", r.head_object, Bucket="gradients", Key="not-there")


@check
def get_object_with_range():
    data = noise(4, 1000)
    w.put_object(Bucket="gradients", Key="ranged", Body=data)
    for asked, want in (("bytes=0-9", data[:10]), ("bytes=990-", data[990:]), ("bytes=-5", data[-5:]), ("bytes=500-2000", data[500:])):
        got = r.get_object(Bucket="gradients", Key="ranged", Range=asked)
        equal((got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()), (206, want))
    refused("InvalidRange", r.get_object, Bucket="gradients", Key="ranged", Range="bytes=1000-")


@check
def conditions():
    etag = w.put_object(Bucket="gradients", Key="conditional", Body=b"1")["ETag"]
    equal(body(r, "conditional", IfMatch=etag), b"1")
    refused("PreconditionFailed", r.get_object, Bucket="gradients", Key="conditional", IfMatch='"0"')
    refused("304|NotModified", r.get_object, Bucket="gradients", Key="conditional", IfNoneMatch=etag)
    refused("PreconditionFailed", w.put_object, Bucket="gradients", Key="conditional", Body=b"2", IfNoneMatch="*")
    equal(body(r, "conditional"), b"1")
    w.put_object(Bucket="gradients", Key="conditional-new", Body=b"2", IfNoneMatch="*")


@check
def list_objects_v2_paginated():
    for i in range(25):
        for kind in ("gradient", "debug"):
            w.put_object(Bucket="gradients", Key=f"{kind}-{100 + i // 10}-{i}-v2.1.3.pt", Body=b"x" * i)
    pages = list(r.get_paginator("list_objects_v2").paginate(Bucket="gradients", Prefix="gradient-101", PaginationConfig={"PageSize": 4}))
    keys = [o["Key"] for p in pages for o in p.get("Contents", [])]
    equal((len(pages), keys), (3, sorted(f"gradient-101-{i}-v2.1.3.pt" for i in range(10, 20))))
    sizes = {o["Key"]: o["Size"] for p in pages for o in p["Contents"]}
    equal(sizes["gradient-101-17-v2.1.3.pt"], 17)
    equal(r.list_objects_v2(Bucket="gradients", Prefix="no-such").get("KeyCount"), 0)
    equal([o["Key"] for o in r.list_objects_v2(Bucket="gradients", Prefix="debug-", StartAfter="debug-102-23", MaxKeys=2)["Contents"]],
          ["debug-102-23-v2.1.3.pt", "debug-102-24-v2.1.3.pt"])
    ours = [line.split()[0] for line in go("list", URL, "gradients", "gradient-101").splitlines()]
    equal(ours, keys)


@check
def list_with_delimiter():
    for key in ("checkpoints/2.1.3/100/.metadata", "checkpoints/2.1.3/100/__0_0.distcp", "checkpoints/2.1.3/_LATEST.json"):
        w.put_object(Bucket="gradients", Key=key, Body=b"x")
    got = r.list_objects_v2(Bucket="gradients", Prefix="checkpoints/2.1.3/", Delimiter="/")
    equal(([p["Prefix"] for p in got["CommonPrefixes"]], [o["Key"] for o in got["Contents"]]),
          (["checkpoints/2.1.3/100/"], ["checkpoints/2.1.3/_LATEST.json"]))


@check
def delete_objects():
    for i in range(5):
        w.put_object(Bucket="gradients", Key=f"old-{i}", Body=b"x")
    w.delete_objects(Bucket="gradients", Delete={"Objects": [{"Key": f"old-{i}"} for i in range(4)] + [{"Key": "never-was"}]})
    w.delete_object(Bucket="gradients", Key="old-4")
    equal(r.list_objects_v2(Bucket="gradients", Prefix="old-")["KeyCount"], 0)


@check
def wrong_keys():
    refused("SignatureDoesNotMatch", client((WRITER[0], "0" * 64)).put_object, Bucket="gradients", Key="x", Body=b"x")
    refused("SignatureDoesNotMatch", client((READER[0], WRITER[1])).get_object, Bucket="gradients", Key="put-1")
    refused("InvalidAccessKeyId", client(("9" * 32, "0" * 64)).list_objects_v2, Bucket="gradients")
    refused("403", client((WRITER[0], "0" * 64)).head_object, Bucket="gradients", Key="put-1")
    refused("AccessDenied", nobody.get_object, Bucket="gradients", Key="put-1")
    refused("NoSuchBucket", w.get_object, Bucket="not-there", Key="x")


@check
def reading_keys_do_not_write():
    refused("AccessDenied", r.put_object, Bucket="gradients", Key="x", Body=b"x")
    refused("AccessDenied", r.delete_object, Bucket="gradients", Key="put-1")
    refused("AccessDenied", r.delete_objects, Bucket="gradients", Delete={"Objects": [{"Key": "put-1"}]})
    refused("AccessDenied", r.create_multipart_upload, Bucket="gradients", Key="x")
    refused("AccessDenied", r.put_object_acl, Bucket="gradients", Key="put-1", ACL="public-read")
    equal(len(body(r, "put-1")), 1)


@check
def public_read():
    """The slices generation gives each object this ACL after it was put."""
    w.put_object(Bucket="gradients", Key="state-1-5F.pt", Body=b"state")
    refused("AccessDenied", nobody.get_object, Bucket="gradients", Key="state-1-5F.pt")
    w.put_object_acl(Bucket="gradients", Key="state-1-5F.pt", ACL="public-read")
    equal(body(nobody, "state-1-5F.pt"), b"state")
    w.put_object(Bucket="gradients", Key="state-2-5F.pt", Body=b"at once", ACL="public-read")
    equal(body(nobody, "state-2-5F.pt"), b"at once")
    refused("NotImplemented", w.put_object_acl, Bucket="gradients", Key="state-1-5F.pt", ACL="authenticated-read")


@check
def a_bucket_for_all_to_read():
    w.put_object(Bucket="shared", Key="delta-1-5F.pt", Body=b"delta")
    equal(nobody.get_object(Bucket="shared", Key="delta-1-5F.pt")["Body"].read(), b"delta")
    equal(r.list_objects_v2(Bucket="shared")["KeyCount"], 1)
    refused("AccessDenied", r.put_object, Bucket="shared", Key="x", Body=b"x")


@check
def presigned_urls():
    from urllib.error import HTTPError
    from urllib.request import urlopen

    url = r.generate_presigned_url("get_object", Params={"Bucket": "gradients", "Key": "put-5000"}, ExpiresIn=60)
    equal(urlopen(url).read(), noise(5000, 5000))
    try:
        urlopen(url.replace("put-5000", "put-1"))
    except HTTPError as err:
        equal(err.code, 403)
    else:
        raise AssertionError("a URL for one object opened another")


@check
def odd_keys():
    for key in ("a b+c", "größe/µ.pt", "per%20cent", "q?x=1&y#z", "x" * 900, "..hidden", "a=b", "tilde~'(!)*"):
        w.put_object(Bucket="gradients", Key=key, Body=key.encode())
        equal(body(r, key), key.encode())
        equal([o["Key"] for o in r.list_objects_v2(Bucket="gradients", Prefix=key)["Contents"]], [key])


@check
def many_at_once():
    errors = []

    def one(n):
        try:
            data = noise(n, 300_000)
            w.put_object(Bucket="gradients", Key=f"many-{n}", Body=data)
            equal(body(r, f"many-{n}") == data, True)
        except Exception as err:
            errors.append(err)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(errors, [])


@check
def ours_are_read_by_boto3():
    for size in (0, 5000, 40 * MB + 7):  # the last in parts
        data = noise(size, size)
        (WORK / "ours").write_bytes(data)
        etag = go("put", URL, "gradients", f"ours-{size}", WORK / "ours")
        got = r.get_object(Bucket="gradients", Key=f"ours-{size}")
        equal((got["ETag"], got["Body"].read() == data), (f'"{etag}"', True))


@check
def theirs_are_read_by_us():
    for key in ("put-0", "put-5000", "large", "by-hand"):
        out = WORK / f"theirs-{key}"
        go("get", URL, "gradients", key, out)
        equal(out.read_bytes() == body(r, key), True)


@check
def what_a_download_began_is_finished():
    data = body(r, "large")
    # A draft as our client leaves it: beside the file, with a name of its own.
    (WORK / ".part_resumed").write_bytes(data[: 7 * MB])
    go("get", URL, "gradients", "large", WORK / "resumed")
    equal((WORK / "resumed").read_bytes() == data, True)


@check
def our_words_for_their_refusals():
    equal("NoSuchKey" in go("get", URL, "gradients", "not-there", WORK / "none", ok=False), True)
    equal("hint: check the name of the bucket" in go("put", URL, "not-there", "x", WORK / "ours", ok=False), True)


failed = 0
print("boto3", boto3.__version__, "botocore", botocore.__version__)
for f in checks:
    name = f.__name__.replace("_", " ")
    try:
        f()
        print("PASS", name, flush=True)
    except Exception:
        failed += 1
        print("FAIL", name, flush=True)
        traceback.print_exc(limit=-2)
sys.exit(1 if failed else 0)
