/* frames: interpreter frames as walk.h wants them; the adapter of the running version.
 *
 * The only place that includes CPython's internal headers, each adapter for one minor version, with the same names:
 *     frame_top(thread)         the youngest frame that can count, or NULL
 *     frame_below, frame_instr, frame_complete, frame_marked, frame_looks_marked, frame_mark    see walk.h
 *     frame_code(frame)         its code object, borrowed
 *     frame_code_version(frame)     a number that no other code of its interpreter has, ever; 0: not known
 *     thread_has_main_gil(thread)   does an attached thread hold the main interpreter's GIL? (NULL: no)
 * Everything reads in place: no frame objects, no reference counts. Only the thread whose frames they are may call
 * (attached, or detached and standing still in its own call).
 */
#ifndef MEMTALLY_FRAMES_H
#define MEMTALLY_FRAMES_H

#ifndef Py_BUILD_CORE_MODULE
#define Py_BUILD_CORE_MODULE 1
#endif
#include <Python.h>

#if PY_VERSION_HEX >= 0x030F0000
#include "frames_315.h"
#elif PY_VERSION_HEX >= 0x030E0000
#include "frames_314.h"
#elif PY_VERSION_HEX >= 0x030D0000
#include "frames_313.h"
#elif PY_VERSION_HEX >= 0x030C0000
#include "frames_312.h"
#else
#include "frames_311.h"
#endif

#endif
