# ruff: noqa: E501
"""Code made by exec and eval and dropped in a loop: code objects come back at the same address with other lines."""

KEEP = []
for n in range(200):
    blank = "\n" * (n % 13)
    source = f"{blank}def made(x):\n{blank[: n % 5]}    return [x, {{x: {n}}}, float(x)]\nkept = made({n})\n"
    namespace = {}
    exec(compile(source, f"made-{n % 3}.py", "exec"), namespace)
    KEEP.append(namespace["kept"])
    del namespace, source
    KEEP.append(eval(f"{blank}[{n}, [{n}.5] * 3]"))
    KEEP.append(eval(compile(f"[[y] for y in range({n % 5})]", "<inner>", "eval")))
functions = []
for n in range(50):
    local = {}
    exec("\n" * n + "def f(x): return [x] * 4", {}, local)
    functions.append(local["f"])
    KEEP.append([f(n) for f in functions[-3:]])
    if n % 4 == 0:
        del functions[:2]
KEEP.append(functions)
