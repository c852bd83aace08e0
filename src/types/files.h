/* files: bytes to and from files, for dump.c. No Python in here: callers may give up the GIL around a call.
 *
 * Owns no state. Any thread. Errors are errno values; nothing is left under the final name, nor beside it,
 * when writing fails, and a file that was there before stays as it was.
 */
#ifndef MEMTALLY_FILES_H
#define MEMTALLY_FILES_H

#include "../core/base.h"

struct file_writer {
    int fd;
    int error;       /* errno of the first failure, 0 none */
    char *temporary; /* owned: path of the file being written; NULL where it is written in place (a pipe, a
                        device) */
    char *target;    /* owned: final path, symbolic links resolved */
    size_t used;     /* bytes in buffer */
    unsigned char buffer[1 << 16];
};

/* Opens a temporary file beside `path`. False: see error. Close in either case. */
bool file_writer_open(struct file_writer *writer, const char *path);

/* A snapfile_sink; context is the writer. */
status file_writer_put(void *context, const void *bytes, size_t length);

/* Where `keep`: flushes, makes it last and gives it its final name; otherwise removes it. Returns errno or 0.
 */
int file_writer_close(struct file_writer *writer, bool keep);

/* The whole file as a block of malloc. Returns errno or 0. */
int file_read(const char *path, void **bytes, size_t *length);

#endif
