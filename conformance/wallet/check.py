"""The wallet library's half: its files for Go, and Go's files for it.

usage: check.py GO_PROGRAM DIRECTORY TESTDATA [vectors]
With "vectors", also opens every encrypted file that was recorded.
Prints "ok NAME" or "FAIL NAME" for each check.
"""
import base64
import json
import os
import subprocess
import sys

import bittensor_wallet
from bittensor_wallet import Keyfile, Keypair, Wallet

go, work, testdata = sys.argv[1:4]
version = bittensor_wallet.__version__
major = int(version.split(".")[0])
root = os.path.join(work, version, "wallets")
os.makedirs(root)

PHRASE = "old leopard transfer rib spatial phone calm indicate online fire caution review"
PASSWORD = "pässword, long & 密碼" if major >= 3 else "pässword, long"  # 2 saved one byte of a letter
TEXT = "Grüße aus der Grube"


def run(*args, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("BT_")}
    p = subprocess.run([go, *args], capture_output=True, text=True, env={**clean, **env})
    return p.stdout.splitlines() if p.returncode == 0 else ["error: " + p.stderr]


def report(name, want, got):
    print("ok" if want == got else "FAIL", version, name)
    if want != got:
        print("    want", want)
        print("    got ", got)


def attempt(f):
    """What f returns, or the name of its error."""
    try:
        return f()
    except BaseException as e:  # the library also panics
        return type(e).__name__


def key(name, hotkey=None):
    return os.path.join(root, name, *([hotkey] if hotkey else []))


def theirs(name, hotkey="default"):
    return Wallet(name=name, hotkey=hotkey, path=root)


def both_sign(name, path, pair, scheme="sr25519", **env):
    """Go opens the file and each side's signature holds at the other."""
    for text in (TEXT, "0x68656c6c6f", ""):
        lines = run("sign", path, text, **env)
        if len(lines) != 2:
            report(f"{name}: Go opens it", "an address and a signature", lines)
            return
        address, sig = lines
        ok = address == pair.ss58_address and pair.verify(text, bytes.fromhex(sig))
        verified = run("verify", pair.public_key.hex() if isinstance(pair.public_key, bytes) else pair.public_key,
                       text, bytes(pair.sign(text)).hex(), SCHEME=scheme)
        if not ok or verified != ["true"]:
            report(f"{name}: signatures over {text!r}", (pair.ss58_address, True, ["true"]), (address, ok, verified))
            return
    report(f"{name}: opened and signed with", None, None)


# Their files, in the clear, of every length of mnemonic.
for words in (12, 15, 18, 21, 24):
    mnemonic = Keypair.generate_mnemonic(words)
    pair = Keypair.create_from_mnemonic(mnemonic)
    theirs("theirs", f"w{words}").set_hotkey(pair, encrypt=False, overwrite=False)
    both_sign(f"their hotkey of {words} words", key("theirs", f"w{words}"), pair)

# Ours.
for words in (12, 15, 18, 21, 24):
    address, mnemonic = run("write", key("ours", f"w{words}"), "new", str(words))
    w = theirs("ours", f"w{words}")
    report(f"our hotkey of {words} words: the mnemonic is its key's",
           (words, address), (len(mnemonic.split()), Keypair.create_from_mnemonic(mnemonic).ss58_address))
    report(f"our hotkey of {words} words: they open it", address, attempt(lambda: w.hotkey.ss58_address))
    if major >= 4:  # before that there was none, or elsewhere
        report(f"our hotkey of {words} words: they open its public half", address, attempt(lambda: w.hotkeypub.ss58_address))
    both_sign(f"our hotkey of {words} words", key("ours", f"w{words}"), w.hotkey)

# The same key written by both is the same object, but for the number that old
# libraries cannot read.
theirs("theirs", "same").set_hotkey(Keypair.create_from_mnemonic(PHRASE), encrypt=False, overwrite=False)
run("write", key("ours", "same"), "mnemonic", PHRASE)
want, got = (json.load(open(os.path.join(root, n, "hotkeys", "same"))) for n in ("theirs", "ours"))
want.pop("cryptoType", None)
report("the same body", want, got)

# Secrets of every form.
for name, source, value in [
    ("alice", "uri", "//Alice"), ("soft", "uri", PHRASE + "/soft"), ("mixed", "uri", PHRASE + "//hard/soft//0"),
    ("number", "uri", "//1234567890"), ("password", "uri", PHRASE + "///geheim"),
    ("long", "uri", "//" + "x" * 40), ("seed", "hex", "0x" + "07" * 32),
]:
    pair = Keypair.create_from_seed(value) if source == "hex" else Keypair.create_from_uri(value)
    report(f"{name}: the address", [pair.ss58_address], run("write", key("ours", name), source, value))
    report(f"{name}: they open it", pair.ss58_address, attempt(lambda: theirs("ours", name).hotkey.ss58_address))
    both_sign(name, key("ours", name), pair)
numbered = " ".join(f"{i}-{w}" for i, w in sorted(enumerate(PHRASE.split(), 1), key=lambda x: x[1]))
report("numbered words", [Keypair.create_from_mnemonic(PHRASE).ss58_address], run("write", key("ours", "numbered"), "mnemonic", numbered))

# Encrypted, theirs and ours.
pair = Keypair.create_from_mnemonic(PHRASE)
theirs("theirs").set_coldkey(pair, encrypt=True, overwrite=False, coldkey_password=PASSWORD)
theirs("theirs").set_coldkeypub(pair, overwrite=True)
file = os.path.join(root, "theirs", "coldkey")
report("their coldkey is encrypted", b"$NACL", open(file, "rb").read(5))
lines = run("sign", key("theirs"), TEXT, BT_WALLET_PASSWORD=PASSWORD)
report("their coldkey opens", (pair.ss58_address, True), (lines[0], len(lines) == 2 and pair.verify(TEXT, bytes.fromhex(lines[1]))))
lines = run("sign", key("theirs"), TEXT, BT_WALLET_PASSWORD="wrong")
report("a wrong password is one", True, "password is wrong" in lines[0])

report("our coldkey", [pair.ss58_address], run("write", key("ours"), "mnemonic", PHRASE, NEW_PASSWORD=PASSWORD))
report("our coldkey is encrypted", b"$NACL", open(os.path.join(root, "ours", "coldkey"), "rb").read(5))
report("our coldkey: they open it", pair.ss58_address, attempt(lambda: theirs("ours").get_coldkey(PASSWORD).ss58_address))
report("our coldkey: their wrong password", False, attempt(lambda: theirs("ours").get_coldkey("wrong").ss58_address) == pair.ss58_address)
report("our coldkeypub", pair.ss58_address, attempt(lambda: theirs("ours").coldkeypub.ss58_address))
report("an existing file stays", True, "exists" in run("write", key("ours"), "uri", "//Bob")[0])

# Passwords in the environment, both ways.
name, _, value = run("env", os.path.join(root, "ours", "coldkey"), PASSWORD)[0].partition("=")
their_name = theirs("ours").coldkey_file.env_var_name
report("the variable's name", their_name() if callable(their_name) else their_name, name)
opened = subprocess.run(
    [sys.executable, "-c", "import sys; from bittensor_wallet import Wallet; print(Wallet(name='ours', path=sys.argv[1]).get_coldkey().ss58_address)", root],
    env={**os.environ, name: value}, capture_output=True, text=True, stdin=subprocess.DEVNULL)
if major >= 3:  # 2 reads what it writes, which is no base64
    report("our variable opens it for them", pair.ss58_address, (opened.stdout.split() or [opened.stderr])[-1])
saved = subprocess.run(
    [sys.executable, "-c", "import os, sys; from bittensor_wallet import Wallet; Wallet(name='theirs', path=sys.argv[1]).coldkey_file.save_password_to_env(sys.argv[2]); os.system('env')", root, PASSWORD],
    capture_output=True, text=True, stdin=subprocess.DEVNULL)
theirs_env = dict(l.split("=", 1) for l in saved.stdout.splitlines() if l.startswith("BT_PW_"))
if major >= 3:
    report("their variable is ours", run("env", file, PASSWORD), [f"{k}={v}" for k, v in theirs_env.items()])
report("their variable opens it for us", pair.ss58_address, run("sign", key("theirs"), TEXT, **theirs_env)[0])

# Watched keys, and polkadot.js.
report("an address to watch", [pair.ss58_address], run("watch", key("watched"), pair.ss58_address))
report("they watch it", pair.ss58_address, attempt(lambda: theirs("watched").coldkeypub.ss58_address))
exported = "\n".join(run("export", key("ours", "same"), NEW_PASSWORD="export me"))
imported = attempt(lambda: Keypair.create_from_encrypted_json(exported, "export me"))
report("they import our export", pair.ss58_address, getattr(imported, "ss58_address", imported))
vector = json.load(open(os.path.join(testdata, "polkadotjs_json.json")))
with open(os.path.join(work, version, "account.json"), "w") as f:
    json.dump(vector["json"], f)
report("we import polkadot.js's", [vector["derived_ss58"]],
       run("write", key("ours", "imported"), "json", f.name, JSON_PASSWORD=vector["passphrase"]))
report("they open what we imported", vector["derived_ss58"], attempt(lambda: theirs("ours", "imported").hotkey.ss58_address))

# Ed25519, which their files have since 4.1.
if hasattr(bittensor_wallet, "CRYPTO_ED25519"):
    for name, value in (("ed-phrase", PHRASE), ("ed-uri", "//Alice")):
        make = Keypair.create_from_mnemonic if value == PHRASE else Keypair.create_from_uri
        pair = make(value, crypto_type=bittensor_wallet.CRYPTO_ED25519)
        theirs("theirs", name).set_hotkey(pair, encrypt=False, overwrite=False)
        both_sign("their " + name, key("theirs", name), pair, scheme="ed25519")
        report(f"our {name}", [pair.ss58_address], run("write", key("ours", name), "uri", value, SCHEME="ed25519"))
        report(f"our {name}: they open it", (pair.ss58_address, bittensor_wallet.CRYPTO_ED25519),
               attempt(lambda: (theirs("ours", name).hotkey.ss58_address, theirs("ours", name).hotkey.crypto_type)))
        both_sign("our " + name, key("ours", name), theirs("ours", name).hotkey, scheme="ed25519")

# The list, of both sides' wallets.
listed = {l.split()[0]: l.split()[1] for l in run("list", root) if not l.endswith("broken")}
want = {}
for name in ("ours", "theirs"):
    want[name] = Keypair.create_from_mnemonic(PHRASE).ss58_address
    for hotkey in os.listdir(os.path.join(root, name, "hotkeys")):
        if not hotkey.endswith("pub.txt"):
            want[f"{name}/{hotkey}"] = theirs(name, hotkey).hotkey.ss58_address
want["watched"] = Keypair.create_from_mnemonic(PHRASE).ss58_address
report("the list", want, listed)

# Every recorded file, by us, and by them if they can.
if "vectors" in sys.argv[4:]:
    recorded = json.load(open(os.path.join(testdata, "keyfiles_encrypted.json")))
    for kind, vectors in (("nacl", recorded["nacl"]), ("vault", recorded["ansible_vault"]), ("fernet", recorded["fernet_legacy"])):
        for i, v in enumerate(vectors):
            name = f"{kind}{i}"
            os.makedirs(os.path.join(root, name))
            path = os.path.join(root, name, "coldkey")
            with open(path, "wb") as f:
                f.write(base64.b64decode(v["file_base64"]) if kind == "nacl" else v["file_text"].encode())
            address = json.loads(v["plaintext"])["ss58Address"]
            report(f"{v['name']} ({name})", address, run("sign", key(name), TEXT, BT_WALLET_PASSWORD=v["password"])[0])
            if kind == "nacl":  # of the others, some versions refuse some
                report(f"{name}: they open it", address, attempt(lambda: Keyfile(path).get_keypair(v["password"]).ss58_address))
