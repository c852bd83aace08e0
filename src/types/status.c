/* status: the one place where a status of the core becomes an exception. Needs the GIL. */
#include "types.h"

void raise_status(status result) {
    switch (result) {
    case STATUS_NOMEM:
        PyErr_NoMemory();
        break;
    case STATUS_FULL:
        PyErr_SetString(PyExc_MemoryError, "too many distinct call paths or names for one snapshot");
        break;
    case STATUS_INVALID:
        PyErr_SetString(PyExc_ValueError, "the data of the snapshot cannot be right");
        break;
    case STATUS_FAILED: /* whoever reads or writes raises what it met */
    case STATUS_OK:
        Py_UNREACHABLE();
    }
}
