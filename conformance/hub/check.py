"""The checks of run.sh: huggingface_hub against our hub, and our client too."""

import hashlib
import os
import random
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.constants import DOWNLOAD_CHUNK_SIZE
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

HUB, WORK = sys.argv[1], Path(sys.argv[2])
URL = os.environ["HF_ENDPOINT"]
REPO = "alice/model"

alice = HfApi(endpoint=URL, token="hf_alice")
bob = HfApi(endpoint=URL, token="hf_bob")
nobody = HfApi(endpoint=URL, token=False)


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def go(*args):
    done = subprocess.run([HUB, *map(str, args)], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"hub {args[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def raises(kind, call):
    try:
        call()
    except kind as err:
        return err
    raise AssertionError(f"no {kind.__name__}")


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got!r:.200}, want {want!r:.200}")


LARGE = noise(1, 12_000_000)  # in parts
SMALL = b'{"layers": 2}\n'
cache = iter(range(1000))


def fresh():
    """An empty cache, so that every download is one."""
    return WORK / f"cache-{next(cache)}"


def download(filename, revision=None, api=nobody):
    return Path(api.hf_hub_download(REPO, filename, revision=revision, cache_dir=fresh())).read_bytes()


def whoami():
    equal(alice.whoami()["name"], "alice")
    equal(bob.whoami()["name"], "bob")


def wrong_token():
    err = raises(HfHubHTTPError, lambda: HfApi(endpoint=URL, token="hf_wrong").whoami())
    equal(err.response.status_code, 401)


def create_repo():
    url = alice.create_repo("model")
    equal(url.repo_id, REPO)
    equal(alice.create_repo(REPO, exist_ok=True).repo_id, REPO)
    err = raises(HfHubHTTPError, lambda: alice.create_repo(REPO))
    equal(err.response.status_code, 409)
    equal(alice.repo_exists(REPO), True)
    equal(alice.repo_exists("alice/none"), False)


def foreign_namespace():
    err = raises(HfHubHTTPError, lambda: bob.create_repo("alice/other"))
    equal(err.response.status_code, 403)
    err = raises(HfHubHTTPError, lambda: bob.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=REPO))
    equal(err.response.status_code, 403)


def upload_folder():
    folder = WORK / "folder"
    write(folder / "model.pt", LARGE)
    write(folder / "config.json", SMALL)
    write(folder / "README.md", b"---\nlicense: mit\n---\n# A model\n")
    write(folder / "sub/dir/empty.txt", b"")
    write(folder / "sub/one piece.bin", noise(2, 300_000))
    commit = alice.upload_folder(repo_id=REPO, folder_path=folder, commit_message="the folder")
    equal(len(commit.oid), 40)
    equal(alice.model_info(REPO).sha, commit.oid)
    equal(
        sorted(nobody.list_repo_files(REPO)),
        [".gitattributes", "README.md", "config.json", "model.pt", "sub/dir/empty.txt", "sub/one piece.bin"],
    )


def same_folder_again():
    before = alice.model_info(REPO).sha
    equal(alice.upload_folder(repo_id=REPO, folder_path=WORK / "folder").oid, before)


def upload_file():
    alice.upload_file(path_or_fileobj=b"hello\n", path_in_repo="notes/hello.txt", repo_id=REPO)
    equal(download("notes/hello.txt"), b"hello\n")
    alice.upload_file(path_or_fileobj=noise(3, 200_000), path_in_repo="bytes.pt", repo_id=REPO)
    equal(download("bytes.pt"), noise(3, 200_000))


def downloads():
    equal(download("model.pt"), LARGE)
    equal(download("config.json"), SMALL)
    equal(download("sub/dir/empty.txt"), b"")
    equal(download("sub/one piece.bin"), noise(2, 300_000))


def revisions():
    first = alice.upload_file(path_or_fileobj=noise(4, 5000), path_in_repo="r.pt", repo_id=REPO).oid
    second = alice.upload_file(path_or_fileobj=noise(5, 5000), path_in_repo="r.pt", repo_id=REPO).oid
    equal(download("r.pt", first), noise(4, 5000))
    equal(download("r.pt", first[:7]), noise(4, 5000))
    equal(download("r.pt", second[:7]), noise(5, 5000))
    equal(download("r.pt"), noise(5, 5000))
    equal(nobody.model_info(REPO, revision=first[:7]).sha, first)


def file_metadata():
    info = {f.path: f for f in nobody.list_repo_tree(REPO, recursive=True)}
    equal(info["model.pt"].size, len(LARGE))
    equal(info["model.pt"].lfs.sha256, hashlib.sha256(LARGE).hexdigest())
    blob = hashlib.sha1(b"blob %d\0" % len(SMALL) + SMALL).hexdigest()
    equal(info["config.json"].blob_id, blob)
    equal("sub/dir" in info, True)
    equal([f.path for f in nobody.list_repo_tree(REPO, "sub")], ["sub/dir", "sub/one piece.bin"])
    equal([f.path for f in nobody.get_paths_info(REPO, ["model.pt", "none", "sub"])], ["model.pt", "sub"])
    files = {s.rfilename: s for s in nobody.model_info(REPO, files_metadata=True).siblings}
    equal(files["model.pt"].lfs.sha256, hashlib.sha256(LARGE).hexdigest())
    url = f"{URL}/{REPO}/resolve/main/model.pt"
    meta = nobody.get_hf_file_metadata(url=url)
    equal((meta.size, meta.etag, len(meta.commit_hash)), (len(LARGE), hashlib.sha256(LARGE).hexdigest(), 40))


def snapshot():
    folder = Path(snapshot_download(REPO, endpoint=URL, token=False, cache_dir=fresh(), allow_patterns=["sub/*", "*.json"]))
    equal(
        sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()),
        ["config.json", "sub/dir/empty.txt", "sub/one piece.bin"],
    )


class Cutter:
    """A proxy to the hub that hangs up once, in the middle of a large answer."""

    def __init__(self, after):
        self.left, self.passed = after, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            host, port = URL.removeprefix("http://").split(":")
            server = socket.create_connection((host, int(port)))
            threading.Thread(target=self.pipe, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pipe, args=(server, client, True), daemon=True).start()

    def pipe(self, source, target, counted):
        try:
            while data := source.recv(65536):
                if counted:
                    self.passed += len(data)
                    if self.left is not None and self.passed > self.left:
                        self.left = None
                        break
                target.sendall(data)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def interrupted_download():
    # The library goes on after the last whole chunk that it has written.
    proxy = Cutter(after=DOWNLOAD_CHUNK_SIZE + 500_000)
    try:
        got = hf_hub_download(REPO, "model.pt", endpoint=proxy.url, token=False, cache_dir=fresh())
    finally:
        proxy.listener.close()
    equal(Path(got).read_bytes() == LARGE, True)
    equal(proxy.left, None)  # it was cut indeed
    if proxy.passed > len(LARGE) + 1_000_000:
        raise AssertionError(f"{proxy.passed} bytes passed for {len(LARGE)}: begun again, not resumed")


def commits():
    listed = nobody.list_repo_commits(REPO)
    equal(listed[-1].title, "initial commit")
    equal(listed[-2].title, "the folder")
    equal(listed[0].commit_id, nobody.model_info(REPO).sha)
    equal(listed[0].authors, ["alice"])
    refs = nobody.list_repo_refs(REPO)
    equal([(b.name, b.target_commit) for b in refs.branches], [("main", listed[0].commit_id)])


def parent_commit():
    head = nobody.model_info(REPO).sha
    old = nobody.list_repo_commits(REPO)[-1].commit_id

    def commit(parent):
        return alice.create_commit(
            REPO,
            [CommitOperationAdd("crossed.txt", b"x"), CommitOperationDelete("notes/", is_folder=True)],
            commit_message="crossed",
            parent_commit=parent,
        )

    err = raises(HfHubHTTPError, lambda: commit(old))
    equal(err.response.status_code, 412)
    equal(len(commit(head).oid), 40)
    equal("notes/hello.txt" in nobody.list_repo_files(REPO), False)


def delete_file():
    alice.delete_file("crossed.txt", REPO)
    raises(EntryNotFoundError, lambda: download("crossed.txt"))


def errors():
    raises(RepositoryNotFoundError, lambda: alice.model_info("alice/none"))
    raises(RepositoryNotFoundError, lambda: nobody.hf_hub_download("alice/none", "x", cache_dir=fresh()))
    raises(RevisionNotFoundError, lambda: download("model.pt", "0000000"))
    raises(RevisionNotFoundError, lambda: nobody.list_repo_files(REPO, revision="dev"))
    raises(EntryNotFoundError, lambda: download("none.pt"))
    equal(nobody.file_exists(REPO, "none.pt"), False)
    equal(nobody.file_exists(REPO, "model.pt"), True)


def private():
    alice.create_repo("hidden", private=True)
    alice.upload_file(path_or_fileobj=b"secret", path_in_repo="s.txt", repo_id="alice/hidden")
    equal(Path(alice.hf_hub_download("alice/hidden", "s.txt", cache_dir=fresh())).read_bytes(), b"secret")
    raises(RepositoryNotFoundError, lambda: bob.hf_hub_download("alice/hidden", "s.txt", cache_dir=fresh()))
    raises(RepositoryNotFoundError, lambda: nobody.model_info("alice/hidden"))


def go_to_python():
    large = write(WORK / "out/large.pt", noise(6, 13_000_000))
    small = write(WORK / "out/small.json", b"[1, 2]")
    empty = write(WORK / "out/empty.txt", b"")
    revision = go("publish", URL, "hf_bob", "bob/from-go", large, small, empty)
    equal(len(revision), 40)
    for path in (large, small, empty):
        for rev in (None, revision[:7]):
            got = nobody.hf_hub_download("bob/from-go", path.name, revision=rev, cache_dir=fresh())
            equal(Path(got).read_bytes(), path.read_bytes())
    equal(nobody.list_repo_commits("bob/from-go")[0].title, "published by the Go client")
    equal(go("publish", URL, "hf_bob", "bob/from-go", large, small, empty), revision)


def python_to_go():
    revision = nobody.model_info(REPO).sha
    for name, data in (("model.pt", LARGE), ("config.json", SMALL), ("sub/dir/empty.txt", b"")):
        for rev in ("main", revision[:7]):
            to = WORK / "in" / f"{rev}-{Path(name).name}"
            write(to, data[: len(data) // 2])  # as if interrupted
            go("get", URL, REPO, rev, name, to)
            equal(to.read_bytes(), data)


def python_over_go():
    head = nobody.model_info("bob/from-go").sha
    bob.upload_file(path_or_fileobj=b"[3]", path_in_repo="small.json", repo_id="bob/from-go", parent_commit=head)
    to = WORK / "in/small.json"
    go("get", URL, "bob/from-go", "main", "small.json", to)
    equal(to.read_bytes(), b"[3]")


def delete_repo():
    bob.delete_repo("bob/from-go")
    raises(RepositoryNotFoundError, lambda: bob.model_info("bob/from-go"))
    bob.delete_repo("bob/from-go", missing_ok=True)


passed = failed = 0
for check in (
    whoami,
    wrong_token,
    create_repo,
    foreign_namespace,
    upload_folder,
    same_folder_again,
    upload_file,
    downloads,
    revisions,
    file_metadata,
    snapshot,
    interrupted_download,
    commits,
    parent_commit,
    delete_file,
    errors,
    private,
    go_to_python,
    python_to_go,
    python_over_go,
    delete_repo,
):
    name = check.__name__.replace("_", " ")
    try:
        check()
    except Exception:
        failed += 1
        print(f"FAIL {name}")
        traceback.print_exc(file=sys.stdout)
    else:
        passed += 1
        print(f"ok   {name}")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
