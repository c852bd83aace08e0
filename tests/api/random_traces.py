"""Random raw traces and filters: what the property-based tests draw from."""

import pytest

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
st = hypothesis.strategies

FILES = [
    "a.py",
    "b.py",
    "a.pyc",
    "",
    "A.py",
    "<unknown>",
    "pkg/c.py",
    "é.py",
    "\U0001f40d.py",
    "\udc80",
    "\uffff",
]
frames = st.tuples(st.sampled_from(FILES), st.integers(0, 4) | st.integers(0, 2**32 - 1))
paths = st.lists(frames, min_size=1, max_size=5).map(tuple)
sizes = st.integers(0, 20) | st.integers(0, 2**64 - 1)
raw_traces = st.tuples(
    st.integers(0, 2) | st.integers(0, 2**32 - 1), sizes, paths, st.none() | st.integers(0, 70_000)
)


def repeated(traces):
    """Few distinct blocks, many times each, in any order."""
    return st.lists(traces, max_size=8).flatmap(
        lambda distinct: st.lists(st.sampled_from(distinct), max_size=30) if distinct else st.just([])
    )


many = repeated(raw_traces)
# numbers that blocks can have, and few of them, so that sums, sizes and counts tie
ties = repeated(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([0, 1, 1023, 1024, 10 * 1024, 10 * 1024 - 1, 2**20, 10 * 2**20 + 7]),
        st.lists(st.tuples(st.sampled_from(FILES), st.integers(0, 2)), min_size=1, max_size=4).map(tuple),
        st.none() | st.integers(1, 6),
    )
)
patterns = st.sampled_from([*FILES, "*", "*.py", "[ab].py", "?", "*.pyc", "pkg*"])


@st.composite
def filters(draw):
    """A constructor's name and arguments."""
    domain = draw(st.none() | st.integers(0, 2))
    if draw(st.booleans()):
        return ("DomainFilter", (draw(st.booleans()), domain))
    line = draw(st.none() | st.integers(0, 4))
    return ("Filter", (draw(st.booleans()), draw(patterns), line, draw(st.booleans()), domain))


fast = hypothesis.settings(max_examples=80, deadline=None, derandomize=True, database=None)
