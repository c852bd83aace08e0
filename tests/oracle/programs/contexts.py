"""Context variables, Context.run, tokens, contextlib, nested and shared contexts."""

import contextlib
import contextvars

KEEP = []
first = contextvars.ContextVar("first", default=[0])
second = contextvars.ContextVar("second")


def change(n):
    token = first.set([n, {"n": [n]}])
    KEEP.append(token)
    second.set([first.get()])
    return [first.get(), second.get()]


def nested(context, n):
    if n:
        return contextvars.copy_context().run(nested, context, n - 1)
    return context.run(change, n)


for n in range(20):
    context = contextvars.copy_context()
    KEEP.append([context, context.run(change, n), context.run(nested, contextvars.copy_context(), n % 5)])
    KEEP.append(dict(context.items()))
    change(n)
variables = [contextvars.ContextVar(f"v{n}") for n in range(200)]
for variable in variables:
    variable.set([variable.name])
KEEP += [variables, contextvars.copy_context()]
with contextlib.ExitStack() as stack:
    for n in range(20):
        stack.callback(lambda n=n: KEEP.append([n, [n]]))
        stack.enter_context(
            contextlib.closing(type("Closing", (), {"close": lambda self: KEEP.append([1])})())
        )
with contextlib.redirect_stdout(__import__("io").StringIO()) as out:
    print([1.5, {"x": [2]}])
KEEP.append(out)
