# ruff: noqa: PT009
"""logging, unittest, string building and tracebacks: ordinary Python library code with deep stacks."""

import io
import logging
import traceback
import unittest
import warnings

KEEP = []
stream = io.StringIO()
logger = logging.getLogger("oracle")
handler = logging.StreamHandler(stream)
handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
logger.addHandler(handler)
logger.setLevel(logging.DEBUG)
logger.propagate = False


class Case(unittest.TestCase):
    def setUp(self):
        self.held = [1.5]

    def test_passes(self):
        KEEP.append([self.held])
        self.assertEqual([1], [1])

    def test_fails(self):
        KEEP.append({"case": [self]})
        self.assertEqual({"a": [1]}, {"a": [2]})

    def test_subtests(self):
        for n in range(4):
            with self.subTest(n=n):
                self.assertTrue(n % 2, [n])


def deep(n):
    if n:
        return deep(n - 1)
    try:
        raise ValueError([n])
    except ValueError:
        logger.exception("at %s", [n])
        KEEP.append(traceback.format_exc())
        return traceback.extract_stack()


for n in range(10):
    KEEP.append(deep(n))
    logger.info("number %d %s", n, {"n": [n]})
result = unittest.TextTestRunner(io.StringIO(), verbosity=2).run(
    unittest.defaultTestLoader.loadTestsFromTestCase(Case)
)
KEEP += [result, stream]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for n in range(5):
        warnings.warn(f"careful {n}", stacklevel=2)
KEEP.append(caught)
