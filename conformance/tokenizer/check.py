"""Compares the tokens this project makes with those of Hugging Face's tokenizers.

    check.py compare DIR…   encode DIR/cases.jsonl with DIR/tokenizer.json
    check.py train DIR      train a tokenizer with the library, on DIR/cases.jsonl, as DIR/theirs.json
"""

import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"


def cases(folder):
    with open(folder / "cases.jsonl", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def compare(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    passed = failed = tokens = 0
    for number, case in enumerate(cases(folder), 1):
        want = tokenizer.encode(case["text"]).ids
        back = tokenizer.decode(case["ids"], skip_special_tokens=False)
        tokens += len(want)
        if case["ids"] == want and back == case["text"]:
            passed += 1
            continue
        failed += 1
        if failed <= 5:
            at = next((i for i, (a, b) in enumerate(zip(case["ids"], want)) if a != b), min(len(want), len(case["ids"])))
            print(f"case {number}: {case['text'][:60]!r}: at token {at} ours {case['ids'][at:at + 5]}, theirs {want[at:at + 5]}")
    print(f"{folder.name}: vocabulary {tokenizer.get_vocab_size()}, {passed + failed} texts, {tokens} tokens")
    return passed, failed


def train(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [case["text"] for case in cases(folder)]
    tokenizer.train_from_iterator(texts[:1000], trainer)
    tokenizer.save(str(folder / "theirs.json"))


def main(command, *folders):
    folders = [pathlib.Path(f) for f in folders]
    if command == "train":
        train(*folders)
        return 0
    results = [compare(f) for f in folders]
    passed, failed = (sum(side) for side in zip(*results))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
