# ruff: noqa: E501
"""Blocks in the RAW and MEM domains: locks, threads, io, compression, hashing, pickled buffers, environment."""

import bz2
import hashlib
import io
import locale
import lzma
import os
import select
import socket
import tempfile
import threading
import time
import zlib

KEEP = []
KEEP.append([threading.Lock() for _ in range(30)] + [threading.RLock() for _ in range(30)])
KEEP.append([threading.Condition(), threading.Event(), threading.Semaphore(3)])
data = b"some text to compress " * 500
for module in (zlib, bz2, lzma):
    KEEP.append([module.compress(data), module.decompress(module.compress(data))])
KEEP.append(
    [
        zlib.compressobj(),
        bz2.BZ2Compressor(),
        lzma.LZMADecompressor(),
        hashlib.sha256(data),
        hashlib.blake2b(),
    ]
)
with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
    file.write("line é\n" * 500)
    file.seek(0)
    KEEP.append(file.readlines())
    file.seek(0)
    KEEP.append([line.split() for line in file])
left, right = socket.socketpair()
left.sendall(b"x" * 1000)
KEEP.append([left, right, right.recv(2000), select.select([], [left], [], 0)])
read, write = os.pipe()
KEEP.append([open(read, "rb"), open(write, "wb"), io.BufferedReader(io.BytesIO(data))])
os.environ["ORACLE"] = "x" * 200
KEEP.append([dict(os.environ), os.listdir("/"), time.strftime("%A"), locale.localeconv(), os.uname()])
