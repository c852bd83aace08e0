/* export: a snapshot in the formats of other tools.
 *
 *   EXPORT_JSON         "frames":[{"filename":..,"lineno":..,"function":..},..],
 *                       "traces":[{"size":..,"count":..,"domain":..,"total_nframe":..,"process":..,"frames":[0,7]},..]
 *                       a trace for each row; its frames are numbers in `frames`, the most recent one last
 *   EXPORT_CSV          size,count,domain,process,filename,lineno,function,traceback: a line for each row
 *   EXPORT_COLLAPSED    main (app.py:12);load (app.py:40) 5120     a line for each call path that holds something
 *   EXPORT_SPEEDSCOPE   "shared":{"frames":[..]},"profiles":[{"type":"evented",..}]
 *   EXPORT_PPROF        Profile of profile.proto, not compressed: samples, locations, functions, strings
 *   EXPORT_TRACEMALLOC  the pickle of a tracemalloc.Snapshot, protocol 4
 *
 * JSON and speedscope are the members of an object whose braces and other members are the caller's; further fields
 * of a Profile may be written before and after.
 *
 * Rows (JSON, CSV, tracemalloc) have the tracebacks that the snapshot has, cut to its limit; the others show whole call
 * paths, as branches.h tells. Reads the snapshot, any thread. Cost: what is written, and for call paths
 * O(rows + nodes). Memory follows the call paths. Fails with NOMEM, FULL (too much for the format), or with what the
 * sink returned; what was written then is of no use.
 */
#ifndef MEMTALLY_EXPORT_H
#define MEMTALLY_EXPORT_H

#include "snapfile.h"

enum export_format {
    EXPORT_JSON,
    EXPORT_CSV,
    EXPORT_COLLAPSED,
    EXPORT_SPEEDSCOPE,
    EXPORT_PPROF,
    EXPORT_TRACEMALLOC,
    EXPORT_COUNT
};

nodiscard status export_snapshot(struct snapshot *snapshot, enum export_format format, snapfile_sink sink,
                                 void *context);

#endif
