# What to type. Everything else is in tools/; `make help` shows this list.
#
#   PYTHON   the interpreter to build for and to test with (default: python3); each has an environment of its
#            own under .venv/ and a build folder of its own under build/, so changing over rebuilds nothing
#   ARGS     passed on to the demo, to pytest, to the fuzzer (seconds) or to the benchmark
#   MINUTES  how long the soak takes (default: 10)
#   SLOW=1   run the tests marked `slow` as well
#   WERROR=0 let a compiler's warnings be warnings

PYTHON ?= python3
export ARGS MINUTES SLOW WERROR

.PHONY: help demo test test-allocators core cross sanitize fuzz lint format docs bench bench-curves bench-instructions soak build package clean distclean

help:
	@echo "make demo      build memtally and see where a real program's memory goes"
	@echo "make test      run every test: the core's in C, the package's, CPython's own"
	@echo "make test-allocators"
	@echo "               run some of them under each allocator of CPython (ARGS=tests: all)"
	@echo "make core      run the core's tests in C alone"
	@echo "make cross     run the core's tests for aarch64 (under qemu) and with musl"
	@echo "make sanitize  run the core's tests under AddressSanitizer, UBSan and ThreadSanitizer"
	@echo "make fuzz      look for files that break their reader, for ten minutes (ARGS=60: one)"
	@echo "make lint      check format, types, stubs and the house rules"
	@echo "make format    lay out the files as lint wants them"
	@echo "make docs      make the documentation's site in build/docs"
	@echo "make bench     compare with no tracer, the standard one and memray (under an hour; ARGS=--quick: minutes)"
	@echo "make bench-instructions"
	@echo "               count the instructions that tracing adds; fail where they rose (a minute)"
	@echo "make bench-curves"
	@echo "               cost against live blocks, depth, call paths, threads: drawn into docs/curves"
	@echo "make soak      ten minutes of ever new call paths; fail where memory grows (MINUTES=10)"
	@echo "make build     build and install into .venv/, and say which interpreter has it"
	@echo "make package   install from a source archive in a clean environment, and try it"
	@echo "make clean     remove what was built        make distclean   and the environments"
	@echo ""
	@echo "PYTHON=python3.13 chooses the interpreter (3.11 or newer), ARGS=... is passed on."

demo test test-allocators core cross sanitize fuzz lint format docs bench bench-curves bench-instructions soak build package:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "memtally: no interpreter '$(PYTHON)': name one with PYTHON=..., or: apt-get install python3" >&2; exit 2; }
	@"$(PYTHON)" tools/dev.py $@

clean:
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis memtally/_core*.so
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	@rm -rf .venv
