# oracle: --no-peak
"""sys.settrace and sys.setprofile active, switched in the middle, changing locals, and jumping lines."""

import sys
import threading

KEEP = []
EVENTS = []


def tracer(frame, event, argument):
    EVENTS.append((event, frame.f_lineno, [argument is None]))
    if frame.f_code.co_name == "skip":
        return None
    return tracer


def profiler(frame, event, argument):
    EVENTS.append([event, frame.f_code.co_name])


def work(n):
    held = [n]
    for x in range(3):
        held.append(
            [x, {x: held}],
        )
    held.extend(skip(n))
    return [y + 0.5 for y in range(n)], held


def skip(n):
    return [[n], sorted([3, 1, 2], key=lambda v: [v])]


def switching(n):
    KEEP.append([n])
    sys.settrace(tracer)
    KEEP.append([n, work(n)])
    sys.settrace(None)
    KEEP.append([n, {n: [n]}])
    sys.setprofile(profiler)
    KEEP.append(work(n))
    sys.setprofile(None)
    return [n]


def generator(n):
    for x in range(n):
        yield [x, work(1)]


for n in range(5):
    KEEP.append(work(n))
    sys.settrace(tracer)
    KEEP.append(work(n))
    KEEP.append(list(generator(2)))
    sys.settrace(None)
    sys.setprofile(profiler)
    KEEP.append(work(n))
    KEEP.append(list(generator(2)))
    KEEP.append(list(map(str, range(n))))
    sys.setprofile(None)
    KEEP.append(switching(n))
suspended = generator(9)
KEEP.append(next(suspended))
sys.settrace(tracer)
KEEP.append(next(suspended))
sys.settrace(None)
KEEP.append([next(suspended), suspended])
threading.settrace(tracer)
thread = threading.Thread(target=lambda: KEEP.append(work(3)))
thread.start()
thread.join()
threading.settrace(None)


def jumper(frame, event, argument):
    if event == "line" and frame.f_lineno == jumping.__code__.co_firstlineno + 2:
        frame.f_lineno += 2
    return jumper


def jumping():
    KEEP.append(["first"])
    KEEP.append(["skipped"])
    KEEP.append(["skipped too"])
    KEEP.append(["last"])


sys.settrace(jumper)
jumping()
sys.settrace(None)
if sys.version_info >= (3, 12):
    monitoring = sys.monitoring
    monitoring.use_tool_id(3, "oracle program")
    events = monitoring.events
    for event in (events.LINE, events.INSTRUCTION, events.PY_START, events.BRANCH, events.CALL):
        monitoring.register_callback(3, event, lambda *args: EVENTS.append([args[1:2]]))
    for chosen in (events.LINE, events.INSTRUCTION | events.CALL, events.PY_START | events.BRANCH, 0):
        monitoring.set_events(3, chosen)
        KEEP.append(work(4))
        KEEP.append(list(generator(2)))
    monitoring.set_local_events(3, skip.__code__, events.LINE)
    KEEP.append(work(4))
    monitoring.set_local_events(3, skip.__code__, 0)
    monitoring.free_tool_id(3)
