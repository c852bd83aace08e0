"""The library in the flame graph's page, from npm: fetched by hand, kept in the package, checked by lint.

    python tools/page_library.py            fetch it into memtally/reports/flamegraph/ (needs npm)
    python tools/page_library.py --check    fetch it and compare with what is there; exit code 1 if it differs

It is committed, so building the package needs neither npm nor a network. `make lint` compares hashes,
offline.
"""

import collections.abc
import hashlib
import pathlib
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACE = ROOT / "memtally" / "reports" / "flamegraph"
PACKAGE = "d3-hierarchy@3.1.2"
ARCHIVE_SHA256 = "7681875f06440c088afda1fd834d853dd560166c945e731382ee0c636332360b"
FILES = {
    # in the package: (here, SHA-256)
    "package/dist/d3-hierarchy.min.js": (
        "d3-hierarchy.min.js",
        "a8771380454be89ec5ffe9a6396ba7c247081e348ae740dc9cb9629abd4c0e43",
    ),
    "package/LICENSE": (
        "d3-hierarchy.LICENSE.txt",
        "e008c5e25a6be382593089c29bfabbc553c6378eee02895aec46ce396cc404ee",
    ),
}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def changed() -> collections.abc.Iterator[str]:
    """A remark for each file that is not the one that was fetched."""
    for name, wanted in FILES.values():
        path = PLACE / name
        if not path.is_file() or digest(path.read_bytes()) != wanted:
            place = path.relative_to(ROOT).as_posix()
            yield f"{place}: not the file of {PACKAGE}: python3 tools/page_library.py"


def fetch() -> dict[str, bytes]:
    """Our files by their names here, from a fresh archive of the package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        (archive,) = pathlib.Path(folder).glob("*.tgz")
        if digest(archive.read_bytes()) != ARCHIVE_SHA256:
            raise SystemExit(f"tools/page_library.py: {PACKAGE} is not the archive that was looked at")
        found = {}
        with tarfile.open(archive) as members:
            for inside, (name, _) in FILES.items():
                member = members.extractfile(inside)
                if member is None:
                    raise SystemExit(f"tools/page_library.py: {PACKAGE} has no file {inside}")
                found[name] = member.read()
        return found


def main(arguments: list[str]) -> int:
    """Fetches the library, or says where what is there differs from it."""
    found = fetch()
    if arguments == ["--check"]:
        different = [name for name, content in found.items() if (PLACE / name).read_bytes() != content]
        print("\n".join(f"{name}: differs from {PACKAGE}" for name in different) or f"{PACKAGE}: as fetched")
        return 1 if different else 0
    for name, content in found.items():
        (PLACE / name).write_bytes(content)
        print(f"{name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
