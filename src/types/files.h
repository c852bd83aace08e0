/* files: bytes to and from files, for dump.c and load.c. No Python in here: callers may give up the GIL around a call.
 *
 * Owns no state. Any thread. Errors are errno values; nothing is left under the final name, nor beside it,
 * when writing fails, and a file that was there before stays as it was. (Only a process that is killed while it writes
 * leaves a temporary file behind.)
 */
#ifndef MEMTALLY_FILES_H
#define MEMTALLY_FILES_H

#include "../core/base.h"

struct file_writer {
    int fd;
    int error;        /* errno of the first failure, 0 none */
    char *temporary;  /* owned: path of the file being written; NULL where it is written in place (a pipe, a
                        device) */
    char *target;     /* owned: final path, symbolic links resolved */
    uint64_t written; /* bytes that the system has taken */
    /* Asked after a signal: true ends the writing with EINTR. */
    bool (*interrupted)(void);
    size_t used; /* bytes in buffer */
    unsigned char buffer[1 << 16];
};

/* Opens a temporary file beside `path`. False: see error. Close in either case. */
bool file_writer_open(struct file_writer *writer, const char *path, bool (*interrupted)(void));

/* A snapfile_sink; context is the writer. */
status file_writer_put(void *context, const void *bytes, size_t length);

/* Where `keep`: flushes, makes it last and gives it its final name; otherwise removes it. Returns errno or 0.
 */
int file_writer_close(struct file_writer *writer, bool keep);

/* Where a snapshot is read from, while something of it may be wanted: a file that is open, or bytes. Small files are
 * read as a whole, so that thousands of snapshots may be held without as many open files. A large one is read with
 * pread, piece by piece, and never mapped: a mapping of a file that somebody cuts short kills the process. */
struct file_source {
    int fd;      /* -1: the bytes are in memory */
    char *bytes; /* owned (malloc) */
    uint64_t length;
    _Atomic int error; /* errno of the last failed read; 0: the file has become shorter than it was */
};

/* A source of a path; NULL with an errno. What is no regular file (a pipe) is read to its end, or as far as
 * `begins_well` says of its first bytes that it can be what is wanted. */
typedef bool (*bytes_test)(const void *bytes, size_t length);
struct file_source *file_source_open(const char *path, bytes_test begins_well, bool (*interrupted)(void),
                                     int *error);
/* A source of bytes in a block of malloc, which is taken over; NULL (and the block freed) without memory. */
struct file_source *file_source_of_bytes(char *bytes, size_t length);
void file_source_free(struct file_source *source); /* NULL is fine */

/* As struct snapfile_source wants it; context is the source. */
status file_source_read(void *context, uint64_t offset, void *bytes, size_t length);

#endif
