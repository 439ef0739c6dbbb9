"""Small tokenizers of the kinds that today's models have, and what the tokenizers library makes of texts with them.

    families.py make DIR       write DIR/NAME/tokenizer.json for each kind
    families.py record DIR     print what the library does with them, for internal/data/testdata/families.jsonl
    families.py compare DIR    compare with DIR/NAME/cases.jsonl, which this project wrote
"""

import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = [
    "It's the end of the day, and they're walking home; we'll see what he'd say. I'm sure you've heard it.",
    "The quick brown fox jumps over the lazy dog 12345 times in 2024, or about 3.14159 times a second!",
    "def main(argv):\n    for i in range(10):\n        if argv[i] == '':\n            return None\n\n\n    print(\"done\", i)\n",
    "L'été dernier, nous sommes allés à la plage; le garçon a mangé des crêpes près de la forêt.",
    "Grüße aus Köln, schöne Straßen und süße Äpfel überall. Привет, мир! Как дела сегодня?",
    "今天天气很好，我们去公园散步。人工智能正在改变世界。こんにちは、世界。カタカナ 한국어 문장입니다.",
    "the there their then than that this these those them thing think thank through though thought",
    "one two three  four   five\tsix\r\nseven\n \n eight ... !!! ??? --- === ((( ))) {{ }} [[ ]]",
]

EDGES = [
    "", " ", "  ", "\n", " \n ", "a", " a", "  a", "   a", "a ", "a  ", "\ta", "\n\na", "a\n\n\nb", "a \n b", "\r\n\r\na\r\n", "a\r\n  b",
    "it's we're I've I'm he'll she'd IT'S WE'RE I'VE I'M HE'LL SHE'D 's 't ' '' ''s x''ll' 'sx 'ſ '\u212a it\u2019s",
    "1 12 123 1234 12345 1234567 12.5e-3 ½ ² Ⅷ ٣٤٥٦ a1b22c333d4444", "naïve café — “quoted” …!!\n\n..\r\n", "日本語 中文 한국어，。！", "Привет, мир!", "🙂🙂 👩‍👩‍👧 x🙂",
    "e\u0301 a\u0308\u0323 \u0301 \u1100\u1161\u11a8 \uac00\u11a8 \u212b \u0344 q\u0307\u0323 \u0958 \ufb1d", "a\u00a0b\u2003c\u3000d\u200be\ufefff \u0085 \u2028x\u2029",
    "<s>", "</s>", "a</s>b", "a </s> b", " </s>", "<s> a", "<s>a<s> b", "<|im_start|>user\nhi<|im_end|>\n", "<|endoftext|>a<|endoftext|>", "<|end", "<unk>", "<0x0A>", "[MASK]", "a [MASK] b  [MASK]\n\n c", "xab ab abx ab.", "Caf\u00e9 cafe\u0301 CAF\u00c9",
    "▁", "▁a", " ▁ a▁b ▁▁c", "a▁ b", "x" * 50, " " * 30 + "x", "=" * 40, "ab" * 40, "\x00\x01\x7f", "tab\tand\vvt\fff", "under_score __init__ a.b.c(d) {e:f} #!/bin/sh `x` $HOME ~/ab",
    " !x !!y #tag @you \u3002x \u00bfque? \u00a1si! \u2014dash", "a\u0301bc \u0915\u094d\u0937 \u0e01\u0e33 \u05d0\u05b8", "I'D i'D I'd we'Re", "HTTPServer getHTTPResponse iPhone ABCdef ÀÉîö Dž",
]

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(*before, special=("<|endoftext|>",), template=None, normalizer=None, ignore_merges=False, use_regex=False, prefix=False):
    t = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer is not None:
        t.normalizer = normalizer
    last = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=use_regex)
    t.pre_tokenizer = pre_tokenizers.Sequence([*before, last]) if before else last
    t.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=[AddedToken(s, special=True, normalized=False) for s in special],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    t.train_from_iterator(TEXTS, trainer)
    if ignore_merges:  # as Llama 3's: some words that no merges lead to
        model = json.loads(t.to_str())
        vocab = model["model"]["vocab"]
        for word in ["Ġwalking", "Ġforêt".replace("ê", "Ãª"), "qqq"]:
            vocab.setdefault(word, len(vocab))
        t = Tokenizer.from_str(json.dumps(model))
    t.post_processor = template or processors.ByteLevel(trim_offsets=False)
    return t


def characters(normalizer=None, pre=None, decoder=None, template=True, fallback=True, fuse=True, unk="<unk>", across=False):
    """As SentencePiece's BPE is written down: characters, and bytes to fall back on. Merges go across spaces only if asked to."""
    t = Tokenizer(models.BPE(unk_token=unk, byte_fallback=fallback, fuse_unk=fuse))
    t.pre_tokenizer = metaspace("always", not across)
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
    trainer = trainers.BpeTrainer(vocab_size=520 if fallback else 300, special_tokens=special, limit_alphabet=80, show_progress=False,
                                  max_token_length=12)
    t.train_from_iterator(TEXTS, trainer)
    model = json.loads(t.to_str())
    model["added_tokens"] = [a for a in model["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(model))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, pre, decoder
    if template:
        t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t


def sentencepiece_decoder(strip=True):
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(parts + ([decoders.Strip(" ", 1, 0)] if strip else []))


def metaspace(prefix, cut=True):
    return pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=prefix, split=cut)


def families():
    yield "gpt2", byte_level(use_regex=True)
    yield "gpt2-prefix", byte_level(use_regex=True, prefix=True)
    begin = processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A $B", special_tokens=[("<|begin_of_text|>", 0)])
    yield "llama3", byte_level(split(LLAMA3), special=("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"), ignore_merges=True,
                               template=processors.Sequence([processors.ByteLevel(trim_offsets=False), begin]))
    yield "qwen2", byte_level(split(QWEN2), special=("<|endoftext|>", "<|im_start|>", "<|im_end|>"), normalizer=normalizers.NFC())
    yield "gpt4-removed", byte_level(split(LLAMA3, "removed", True))
    yield "gpt4o", byte_level(split(GPT4O))
    yield "deepseek2", byte_level(split(r"[\r\n]"), split(r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿDŽ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-Ֆ]+"),
                                  split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"), split(r"[一-龥ࠀ-一가-퟿]+"), pre_tokenizers.Digits(individual_digits=True),
                                  special=("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"))
    yield "deepseek3", byte_level(split(r"\p{N}{1,3}"), split(r"[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK3), special=("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"))
    yield "starcoder", byte_level(pre_tokenizers.Digits(individual_digits=True), use_regex=True)
    yield "digits", byte_level(pre_tokenizers.Digits(individual_digits=False), split("a", "merged_with_previous"), split("e", "merged_with_next"), split(r"\s", "removed"))
    legacy = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    yield "llama2", characters(legacy, None, sentencepiece_decoder())
    yield "across", characters(legacy, None, sentencepiece_decoder(), across=True)
    yield "mistral", characters(None, metaspace("first", False), sentencepiece_decoder())
    yield "metaspace-always", characters(None, metaspace("always"), decoders.Metaspace(replacement="▁", prepend_scheme="always"))
    yield "metaspace-never", characters(None, metaspace("never"), decoders.Metaspace(replacement="▁", prepend_scheme="never"), template=False)
    yield "gemma", characters(normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"), sentencepiece_decoder(False))
    yield "unknown", characters(legacy, None, sentencepiece_decoder(), fallback=False)
    yield "unknown-each", characters(legacy, None, sentencepiece_decoder(), fallback=False, fuse=False)
    yield "dropped", characters(legacy, None, sentencepiece_decoder(), fallback=False, unk=None)
    t = byte_level(split(QWEN2), normalizer=normalizers.NFC())
    t.add_special_tokens([AddedToken("[MASK]", lstrip=True, rstrip=True)])
    t.add_tokens([AddedToken("ab", single_word=True), AddedToken("caf\u00e9", normalized=True), AddedToken("cafe", normalized=False), AddedToken("</s>", rstrip=True), AddedToken("<s>", lstrip=True)])
    yield "added", t
    t = characters(legacy, None, sentencepiece_decoder())
    t.add_tokens([AddedToken("[MASK]", normalized=True), AddedToken("x ab", normalized=True), AddedToken("  ", normalized=False)])
    yield "added-normalized", t


def mixtures(tokenizer, seed, n):
    """Random texts of what splitters get wrong, and random tokens."""
    rand = random.Random(seed)
    common = list(" " * 8 + "\n\n\t\r'''sdtmlrveabcxyzTHE0123.,;(){}=!?\u00a0\u3000éü中文🙂\u0301") + ["the ", " walking", "</s>", "<s>", "ab", "qqq", " forêt", "[MASK]", "\r\n", "▁"]
    for _ in range(n):
        yield "".join(rand.choice(common) for _ in range(rand.randrange(30)))


def record(folder):
    for number, path in enumerate(sorted(folder.iterdir())):
        t = Tokenizer.from_file(str(path / "tokenizer.json"))
        for text in EDGES + TEXTS[:2] + list(mixtures(t, number, 40)):
            ids = t.encode(text, add_special_tokens=False).ids
            case = {"tokenizer": path.name, "text": text, "ids": ids}
            prompt = t.encode(text).ids
            if prompt != ids:
                case["prompt"] = prompt
            case["shown"] = t.decode(ids, skip_special_tokens=False)
            skipped = t.decode(ids, skip_special_tokens=True)
            if skipped != case["shown"]:
                case["skipped"] = skipped
            print(json.dumps(case, ensure_ascii=True, separators=(",", ":")))
        rand = random.Random(number)
        for _ in range(20):
            ids = [rand.randrange(t.get_vocab_size()) for _ in range(rand.randrange(1, 12))]
            case = {"tokenizer": path.name, "ids": ids, "shown": t.decode(ids, skip_special_tokens=False)}
            skipped = t.decode(ids, skip_special_tokens=True)
            if skipped != case["shown"]:
                case["skipped"] = skipped
            print(json.dumps(case, ensure_ascii=True, separators=(",", ":")))


def compare(folder):
    passed = failed = 0
    for path in sorted(folder.iterdir()):
        t = Tokenizer.from_file(str(path / "tokenizer.json"))
        ok = bad = 0
        for line in open(path / "cases.jsonl", encoding="utf-8"):
            c = json.loads(line)
            want = {"shown": t.decode(c["ids"], skip_special_tokens=False), "skipped": t.decode(c["ids"], skip_special_tokens=True)}
            if "text" in c:
                want |= {"ids": t.encode(c["text"], add_special_tokens=False).ids, "prompt": t.encode(c["text"]).ids}
            wrong = [k for k, v in want.items() if c[k] != v]
            if not wrong:
                ok += 1
                continue
            bad += 1
            if bad <= 3:
                print(f"{path.name}: {c.get('text', c['ids'])!r:.80}: {wrong[0]} ours {c[wrong[0]]!r:.80}, theirs {want[wrong[0]]!r:.80}")
        print(f"{path.name}: {ok} of {ok + bad} texts agree")
        passed, failed = passed + ok, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def main(command, folder):
    folder = pathlib.Path(folder)
    if command == "make":
        for name, tokenizer in families():
            (folder / name).mkdir(parents=True)
            tokenizer.save(str(folder / name / "tokenizer.json"), pretty=False)
        return 0
    if command == "record":
        return record(folder)
    return compare(folder)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
