"""A reader of snapshot files, written from docs/file-format.md alone: the second opinion on memtally's own.

It shares nothing with memtally.
"""

import json
import struct
import zlib
from typing import NamedTuple

MAGIC, END = b"\x89MTS\r\n\x1a\n", b"\n\x1a\n\rSTM\x89"
METADATA, STRINGS, SITES, NODES = 1, 2, 3, 4
ROWS = {16: "live", 17: "peak", 18: "total"}
U32, U64 = 2**32 - 1, 2**64 - 1
NUMBERS = (b"frames", b"lost_traces", b"traced_bytes", b"peak_bytes")


class Site(NamedTuple):
    """A place in a program."""

    file: str
    function: str
    line: int


class Row(NamedTuple):
    """`count` blocks of `size` bytes each in the view live, else `size` bytes in `count` blocks."""

    domain: int
    size: int
    count: int
    depth: int
    frames: tuple[Site, ...]  # the most recent first


def need(condition: object, what: str) -> None:
    """Refuses the file unless the condition holds."""
    if not condition:
        raise ValueError(what)


class Section:
    """The bytes of a section, taken from the front."""

    def __init__(self, data: bytes, count: int, least: int) -> None:
        need(count <= len(data) // least, "more items than fit")
        self.data, self.count, self.at = data, count, 0

    def number(self, most: int = U64) -> int:
        """A varint."""
        value = shift = 0
        while True:
            need(self.at < len(self.data), "a number is cut")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                need(byte or not shift, "a number is padded")
                need(value <= most, "a number is too large")
                return value
            shift += 7
            need(shift < 70, "a number is too long")

    def difference(self, last: int, most: int) -> int:
        """The last number and a signed difference."""
        value = last + signed(self.number())
        need(0 <= value <= most, "a number is out of range")
        return value

    def text(self) -> bytes:
        """A length and as many bytes, which are text."""
        length = self.number()
        text = self.data[self.at : self.at + length]
        need(len(text) == length and text.decode("utf-8", "surrogatepass") is not None, "a text is cut")
        self.at += length
        return text

    def end(self) -> None:
        """Nothing is left."""
        need(self.at == len(self.data), "bytes are left over")


def signed(number: int) -> int:
    """Zigzag: 0, 1, 2, 3, 4 are 0, -1, 1, -2, 2."""
    return number // 2 if number % 2 == 0 else -(number // 2) - 1


def sections(data: bytes) -> dict[int, Section]:
    """The sections of the file by kind, in their order."""
    tail = len(data) - 24
    need(data[tail + 16 :] == END, "the end is missing")
    start, count, crc = struct.unpack_from("<QII", data, tail)
    need(24 <= start <= tail and tail - start == 32 * count, "the directory is elsewhere")
    need(zlib.crc32(data[start : tail + 12]) == crc, "the directory is damaged")
    found: dict[int, Section] = {}
    expected = 24
    for at in range(start, tail, 32):
        kind, flags, crc, offset, length, items = struct.unpack_from("<HHIQQQ", data, at)
        need(offset == expected and length <= start - offset, "a section is elsewhere")
        expected += length
        if kind not in (METADATA, STRINGS, SITES, NODES, *ROWS):
            need(not flags & 1, "a section that must be known is not")
            continue
        need(kind not in found, "a section is there twice")
        body = data[offset : offset + length]
        need(zlib.crc32(body) == crc, "a section is damaged")
        found[kind] = Section(body, items, 3 if kind in (METADATA, SITES) else 2)
    need(expected == start, "bytes are in no section")
    need({STRINGS, SITES, NODES} <= found.keys() and found.keys() & ROWS.keys(), "a section is missing")
    return found


def read_metadata(section: Section) -> dict[str, str]:
    """Keys and values; those that have a meaning are what they should be."""
    pairs = [(section.text(), section.text()) for _ in range(section.count)]
    section.end()
    for key, value in pairs:
        need(key, "a key is empty")
        need(key not in NUMBERS or (value.isdigit() and int(value) <= U64), "a value is no number")
        need(key != b"attributes" or isinstance(json.loads(value.decode()), dict), "attributes are no object")
        need(key != b"arguments" or not value or value.endswith(b"\0"), "the arguments have no end")
    return {k.decode("utf-8", "surrogatepass"): v.decode("utf-8", "surrogatepass") for k, v in pairs}


def read_strings(section: Section) -> list[str]:
    """All names; number 0 is the empty one."""
    texts = [b""] + [section.text() for _ in range(section.count)]
    section.end()
    need(len(set(texts)) == len(texts), "a string is there twice")
    return [text.decode("utf-8", "surrogatepass") for text in texts]


def read_sites(section: Section, strings: list[str]) -> list[Site]:
    """All places; number 0 has no names."""
    numbers, last = [], (0, 0, 0)
    for _ in range(section.count):
        most = len(strings) - 1
        file, function = section.difference(last[0], most), section.difference(last[1], most)
        last = (file, function, section.difference(last[2], U32))
        numbers.append(last)
    section.end()
    need(len(set(numbers)) == len(numbers), "a site is there twice")
    return [Site("", "", 0)] + [
        Site(strings[file], strings[function], line) for file, function, line in numbers
    ]


def read_nodes(section: Section, sites: list[Site]) -> list[tuple[int, int, int]]:
    """(parent, site, depth) of all call paths; number 0 is the empty one."""
    nodes, site = [(0, 0, 0)], 0
    for number in range(1, section.count + 1):
        back = section.number(number - 1)
        site = section.difference(site, len(sites) - 1)
        parent = number - back if back else 0
        depth = nodes[parent][2] + 1 if parent else section.number(U32)
        need(1 <= depth <= U32, "a depth is out of range")
        nodes.append((parent, site, depth))
    section.end()
    need(len(set(nodes)) == len(nodes), "a node is there twice")
    return nodes


def read_rows(
    section: Section, nodes: list[tuple[int, int, int]], sites: list[Site], live: bool
) -> tuple[int, list[Row]]:
    """The rows of a view."""
    limit = section.number(U32)
    need(limit, "the limit is 0")
    rows, node, domain = [], 0, 0
    for _ in range(section.count):
        tag = section.number()
        node += signed(tag >> 3)
        need(0 <= node < len(nodes), "a node is out of range")
        size = section.number()
        count = section.number() if tag & 1 else 1
        need(count, "a row has no blocks")
        domain = section.number(U32) if tag & 2 else domain
        depth = section.number(U32) if tag & 4 else nodes[node][2]
        frames, at = [], node
        while at and len(frames) < limit:
            frames.append(sites[nodes[at][1]])
            at = nodes[at][0]
        rows.append(Row(domain, size, count, depth, tuple(frames)))
    section.end()
    need(sum(row.count for row in rows) <= U64 or not live, "too many entries")
    return limit, rows


def read(data: bytes) -> tuple[dict[str, str], dict[str, tuple[int, list[Row]]]]:
    """The metadata, and (limit, rows) by view; the first view is what the file is of."""
    need(data.startswith(MAGIC) and len(data) >= 48, "this is not a snapshot file")
    major, _, required, _, crc = struct.unpack_from("<HHIII", data, 8)
    need(zlib.crc32(data[:20]) == crc, "the header is damaged")
    need(major == 1 and not required, "a version or a feature that is not known")
    found = sections(data)
    metadata = read_metadata(found[METADATA]) if METADATA in found else {}
    sites = read_sites(found[SITES], read_strings(found[STRINGS]))
    nodes = read_nodes(found[NODES], sites)
    return metadata, {ROWS[k]: read_rows(s, nodes, sites, k == 16) for k, s in found.items() if k in ROWS}
