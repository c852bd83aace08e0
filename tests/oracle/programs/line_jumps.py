"""A trace function that allocates, sends the frame it traces to another line, and allocates again."""

import sys

kept = []


def traced():
    kept.append(["before"])
    kept.append(["skipped"])
    kept.append(["skipped, too"])
    kept.append(["after", 2.5])


def deeper(number):
    return [[number, float(number)] for _ in range(3)]


def jump(frame, event, _argument):
    if frame.f_code is not traced.__code__:
        return None
    kept.append([event, "in front"])
    kept.extend(deeper(1))
    if event == "line" and frame.f_lineno == traced.__code__.co_firstlineno + 2:
        frame.f_lineno = traced.__code__.co_firstlineno + 4
        kept.append([event, "behind"])
        kept.extend(deeper(2))
    return jump


for _ in range(5):
    sys.settrace(jump)
    try:
        traced()
    finally:
        sys.settrace(None)
    traced()
