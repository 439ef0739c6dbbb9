"""Writes the tables of Unicode's canonical composition, internal/data/nfc.txt.

    nfc.py > ../../internal/data/nfc.txt

A line "c a b" says that c decomposes into a and b, and they compose into c;
"!c a" or "!c a b" that they do not; "a-b n" that the characters from a to b
have the combining class n. Hangul, which has a rule of its own, is left out.
Numbers are hexadecimal but for the class.
"""

import sys
import unicodedata


def main():
    print(f"# Unicode {unicodedata.unidata_version}, canonical composition; written by conformance/tokenizer/nfc.py")
    for code in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code))
        if parts and not parts.startswith("<"):
            parts = parts.split()
            whole = "".join(chr(int(p, 16)) for p in parts)
            mark = "" if len(parts) == 2 and unicodedata.normalize("NFC", whole) == chr(code) else "!"
            print(mark + " ".join(f"{int(p, 16):x}" for p in [f"{code:x}", *parts]))
    start, of = 0, 0
    for code in range(sys.maxunicode + 2):
        klass = unicodedata.combining(chr(code)) if code <= sys.maxunicode else 0
        if klass != of:
            if of:
                print(f"{start:x}-{code - 1:x} {of}")
            start, of = code, klass


main()
