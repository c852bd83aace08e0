"""re: compiling, caching, groups, split, scanners with callbacks; fnmatch; string methods and codecs."""

import codecs
import fnmatch
import re

KEEP = []
TEXT = "The quick brown fox 123 jumps over 4567 lazy dogs. " * 10
for pattern in (r"\w+", r"(?P<n>\d+)", r"(a|b|c)*d?", r"[^ ]+(?= )", r"(?i)QUICK (\w+)", r"(\w)(\w)"):
    compiled = re.compile(pattern)
    KEEP.append([compiled, compiled.findall(TEXT), list(compiled.finditer(TEXT))[:20]])
    KEEP.append([compiled.sub(lambda m: str([m.group()]), TEXT), compiled.split(TEXT, 5)])
re.purge()
scanner = re.Scanner(
    [
        (r"[a-z]+", lambda s, token: [token]),
        (r"\d+", lambda s, token: {token: [token]}),
        (r"\s+|\.|[A-Z]", None),
    ]
)
KEEP.append(scanner.scan(TEXT))
KEEP.append([fnmatch.filter(TEXT.split(), "*o*"), TEXT.upper().partition("FOX"), TEXT.splitlines()])
KEEP.append([TEXT.encode("utf-16"), TEXT.encode("latin-1").decode("ascii"), codecs.encode(TEXT, "rot13")])
codecs.register_error("oracle", lambda error: ("<" + str([error.start]) + ">", error.end))
KEEP.append(["é€😀".encode("ascii", "oracle"), b"\xff\xfe".decode("ascii", "oracle")])
KEEP.append(["%s and %r" % ([1], {"x": [2]}), "{0[a]} {1!r:>20}".format({"a": [1]}, [2]), f"{[3]!s:>9}"])
KEEP.append(TEXT.translate({ord("a"): "[a]", ord("o"): None}))
