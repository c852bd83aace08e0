"""Big imports from the standard library, with everything they make kept alive; reload; a failing import."""

import importlib
import sys

KEEP = []
NAMES = [
    "ast",
    "argparse",
    "csv",
    "difflib",
    "email.message",
    "html.parser",
    "http.client",
    "logging.config",
    "pdb",
    "pydoc",
    "smtplib",
    "tarfile",
    "turtle_missing",
    "unittest.mock",
    "xml.etree.ElementTree",
    "zipfile",
    "sqlite3",
    "multiprocessing.pool",
    "concurrent.futures",
    "ctypes.util",
]
for name in NAMES:
    try:
        KEEP.append(importlib.import_module(name))
    except ImportError as error:
        KEEP.append(error)
for name in ("csv", "difflib", "zipfile"):
    module = sys.modules.pop(name)
    KEEP.append([module, importlib.import_module(name)])
KEEP.append(importlib.reload(sys.modules["argparse"]))
