/* soon: calls a Python function a little later, from the main thread's bytecode.
 *
 * For what must not run while os.fork() is still at work: a thread that is started in a hook of
 * os.register_at_fork counts as one that the program had (CPython 3.13 warns of it after the hooks). What soon_new
 * makes is such a hook without any bytecode of its own, in which the call would come too early.
 * With the GIL. */
#ifndef MEMTALLY_SOON_H
#define MEMTALLY_SOON_H

#include <Python.h>

/* A new function without arguments; each time it is called, function (kept alive) is called soon. What that raises is
 * reported as unraisable. NULL: exception. */
PyObject *soon_new(PyObject *function);

#endif
