# ruff: noqa: E501
"""Own finders and loaders, modules made from source text and from a zip, lazy loading, __getattr__ of modules."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import types
import zipfile

KEEP = []
SOURCE = "NAME = __name__\nTABLE = [[n, str(n) * 3] for n in range(20)]\ndef f(x):\n    return [x, {str(x): [x]}]\n"


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        KEEP.append([name, path])
        if name.startswith("made_up"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return types.ModuleType(spec.name + "")

    def exec_module(self, module):
        exec(compile(SOURCE, f"<{module.__name__}>", "exec"), module.__dict__)
        module.__getattr__ = lambda name: [name, module]


sys.meta_path.insert(0, Finder())
for name in ("made_up_a", "made_up_a.b", "made_up_a.b.c", "made_up_d"):
    module = importlib.import_module(name)
    KEEP.append([module, module.f(1), module.missing])
folder = tempfile.mkdtemp()
try:
    for number in range(5):
        with open(os.path.join(folder, f"on_disk_{number}.py"), "w") as file:
            file.write("\n" * number + SOURCE)
    with zipfile.ZipFile(os.path.join(folder, "packed.zip"), "w") as archive:
        archive.writestr("zipped.py", "\n\n" + SOURCE)
    sys.path[:0] = [folder, os.path.join(folder, "packed.zip")]
    for number in range(5):
        for _ in range(2):  # compiled, then read back from its cache
            sys.modules.pop(f"on_disk_{number}", None)
            KEEP.append(importlib.import_module(f"on_disk_{number}").f([number]))
    import zipped

    KEEP.append(zipped.f(2))
    spec = importlib.util.find_spec("colorsys")
    lazy = importlib.util.module_from_spec(spec)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    spec.loader.exec_module(lazy)
    KEEP.append([lazy, lazy.rgb_to_hls(0.1, 0.2, 0.3)])
finally:
    import shutil

    shutil.rmtree(folder)
