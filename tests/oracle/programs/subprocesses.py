"""Child processes by fork and by subprocess: the parent's traces stay as they were."""

import os
import subprocess
import sys

KEEP = []


def child(n):
    made = [[n] for _ in range(1000)]
    os._exit(len(made) % 256 == 232 and 7 or 8)


for n in range(5):
    KEEP.append([n])
    pid = os.fork()
    if pid == 0:
        child(n)
    KEEP.append(os.waitpid(pid, 0)[1])
    KEEP.append({n: [n]})
KEEP.append(subprocess.run([sys.executable, "-S", "-c", "print('x' * 100)"], capture_output=True, check=True))
KEEP.append([[n] for n in range(50)])
