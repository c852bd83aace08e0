"""A program of some size: reads Python's own library, takes it apart and puts it together again.

    python demo/library_tour.py [MEGABYTES]

Four threads parse the sources into syntax trees; every tree is indexed, written back as source (ast.unparse)
and compiled from there; then the trees are dropped, and an asyncio server on this machine answers the
clients that ask where names are defined. It knows nothing of memtally.
"""

import ast
import asyncio
import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import sys
import sysconfig
import types

THREADS = 4
CLIENTS = 20


@dataclasses.dataclass(slots=True)
class Definition:
    """Where something is defined, and what is said of it there."""

    kind: str
    module: str
    line: int
    doc: str | None


def choose_sources(budget: int) -> list[pathlib.Path]:
    """Files of the library's top folder, as many as fit in BUDGET bytes."""
    chosen = []
    for path in sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("[a-z]*.py")):
        budget -= path.stat().st_size
        if budget < 0:
            break
        chosen.append(path)
    return chosen


def parse(path: pathlib.Path) -> tuple[str, ast.Module]:
    return path.stem, ast.parse(path.read_bytes(), str(path))


def parse_all(paths: list[pathlib.Path]) -> dict[str, ast.Module]:
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return dict(pool.map(parse, paths))


def index_definitions(trees: dict[str, ast.Module]) -> dict[str, list[Definition]]:
    """{name: its definitions} of all classes and functions."""
    index: dict[str, list[Definition]] = collections.defaultdict(list)
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                kind = "class" if isinstance(node, ast.ClassDef) else "function"
                index[node.name].append(Definition(kind, module, node.lineno, ast.get_docstring(node)))
    return index


def rebuild(trees: dict[str, ast.Module]) -> dict[str, types.CodeType]:
    """Each module's code, compiled from what its tree looks like as source."""
    rebuilt = {}
    for module, tree in trees.items():
        source = ast.unparse(tree)
        rebuilt[module] = compile(source, f"<rebuilt {module}>", "exec")
    return rebuilt


async def ask(port: int, names: list[str]) -> int:
    """Ask the server for each of NAMES; the number of definitions it told us."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    told = 0
    for name in names:
        writer.write(name.encode() + b"\n")
        told += len(json.loads(await reader.readline()))
    writer.close()
    await writer.wait_closed()
    return told


async def serve_index(index: dict[str, list[Definition]]) -> int:
    """Serve INDEX to CLIENTS clients at once; the number of answers that they got."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while name := await reader.readline():
            found = [dataclasses.asdict(each) for each in index.get(name.decode().strip(), [])]
            writer.write(json.dumps(found).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 24)
    port = server.sockets[0].getsockname()[1]
    names = [name for name in sorted(index) if not name.startswith("__")]
    async with server:
        told = await asyncio.gather(*(ask(port, names[at::CLIENTS]) for at in range(CLIENTS)))
    return sum(told)


def main() -> None:
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    paths = choose_sources(int(megabytes * 1e6))
    trees = parse_all(paths)
    index = index_definitions(trees)
    rebuilt = rebuild(trees)
    del trees
    told = asyncio.run(serve_index(index))
    print(
        f"{len(paths)} modules parsed by {THREADS} threads, {len(index):,} names indexed, "
        f"{len(rebuilt)} modules rebuilt, {told:,} definitions served to {CLIENTS} clients"
    )
    globals().update(index=index, rebuilt=rebuilt)  # a service would keep them; so they are alive at exit


if __name__ == "__main__":
    main()
