"""ast, compile, tokenize, unparse, dis and symtable over sources of the standard library."""

import ast
import dis
import inspect
import io
import json.decoder
import symtable
import textwrap
import tokenize

KEEP = []
for module in (textwrap, json.decoder, dis):
    source = inspect.getsource(module)
    tree = ast.parse(source)
    KEEP.append(tree)
    KEEP.append(ast.unparse(tree))
    KEEP.append(compile(tree, "tree.py", "exec"))
KEEP.append([node for node in ast.walk(ast.parse(inspect.getsource(textwrap)))])
KEEP.append(list(tokenize.generate_tokens(io.StringIO(inspect.getsource(textwrap)).readline)))
KEEP.append(list(dis.get_instructions(textwrap.wrap)))
KEEP.append(symtable.symtable(inspect.getsource(json.decoder), "json", "exec"))
for bad in ("def f(:", "x = = 1", "'unfinished", "(" * 20):
    try:
        compile(bad, "bad.py", "exec")
    except SyntaxError as error:
        KEEP.append(error)


class Doubler(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.copy_location(ast.List([node], ast.Load()), node)


KEEP.append(ast.fix_missing_locations(Doubler().visit(ast.parse("x = [1, 2.5, 'a' * 3]"))))
