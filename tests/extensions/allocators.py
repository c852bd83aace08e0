"""Which allocator the tests run with: PYTHONMALLOC, as `make test-allocators` sets it."""

import os

NOT_PYMALLOC = os.environ.get("PYTHONMALLOC", "").removesuffix("_debug") in ("malloc", "mimalloc")
NOT_TOLD = "this allocator does not tell when it gives memory back, nor uses the same addresses again soon"
"""Why a test of the tracer's own memory is left out: it keeps what belongs to all addresses ever used."""
