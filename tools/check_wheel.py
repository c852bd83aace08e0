"""Looks at a wheel: `python tools/check_wheel.py FOLDER REPAIRED`, FOLDER having one wheel.

Its module must export its entry point and nothing else. auditwheel then says which systems it is for, and
puts it under the name that says so into REPAIRED: one that needs libraries of its own, or a C library that
no tag stands for, fails.
"""

import pathlib
import sys
import tempfile
import zipfile

import environment
import house_rules


def remarks(wheel: pathlib.Path) -> list[str]:
    """What is wrong with the module of a wheel."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as packed:
        modules = [name for name in packed.namelist() if name.endswith(".so")]
        if len(modules) != 1:
            return [f"{wheel.name}: one module is expected, and there are {modules}"]
        return list(house_rules.exports_one_symbol(pathlib.Path(packed.extract(modules[0], folder))))


def tagged(wheel: pathlib.Path, repaired: pathlib.Path) -> pathlib.Path:
    """The wheel under its right name."""
    for words in (["show", str(wheel)], ["repair", "--wheel-dir", str(repaired), str(wheel)]):
        if environment.run([environment.tool("auditwheel"), *words]) != 0:
            raise SystemExit(f"{wheel.name}: auditwheel finds no systems that it is for")
    (found,) = repaired.glob("*.whl")
    if "manylinux" not in found.name and "musllinux" not in found.name:
        raise SystemExit(f"{found.name}: neither manylinux nor musllinux")
    with zipfile.ZipFile(found) as packed:
        borrowed = [name for name in packed.namelist() if ".libs/" in name]
    if borrowed:
        raise SystemExit(f"{found.name}: it brings libraries: {borrowed}")
    return found


def main(folder: pathlib.Path, repaired: pathlib.Path) -> int:
    """Shows what is wrong, or what the wheel is called."""
    (wheel,) = folder.glob("*.whl")
    wrong = remarks(wheel)
    print("\n".join(wrong) or tagged(wheel, repaired).name)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
