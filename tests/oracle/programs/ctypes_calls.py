"""ctypes: structures, callbacks from C (qsort), buffers; struct and memoryview; mmap; array interfaces."""

import ctypes
import mmap
import struct

KEEP = []


class Pair(ctypes.Structure):
    _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_double * 4)]


try:
    libc = ctypes.CDLL(None)
    COMPARE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))

    def compare(left, right):
        KEEP.append([left[0], [right[0]]])
        return left[0] - right[0]

    values = (ctypes.c_int * 20)(*range(20, 0, -1))
    callback = COMPARE(compare)
    libc.qsort(values, len(values), ctypes.sizeof(ctypes.c_int), callback)
    KEEP += [values, callback, list(values)]
except (OSError, AttributeError) as error:
    KEEP.append(error)
KEEP.append([Pair(n, (1.5, 2.5, 3.5, n)) for n in range(20)])
KEEP.append(
    [
        ctypes.create_string_buffer(100),
        ctypes.pointer(Pair()),
        ctypes.cast(ctypes.pointer(Pair()), ctypes.c_void_p),
    ]
)
KEEP.append([struct.pack("<10d", *range(10)), list(struct.iter_unpack("<d", struct.pack("<5d", *range(5))))])
view = memoryview(bytearray(1000))
KEEP.append([view[::2], view[10:20].tolist(), view.cast("I")])
area = mmap.mmap(-1, 10000)
area.write(b"x" * 100)
KEEP.append([area, area[:50]])
