/* files: atomic writing, reading as a whole or piece by piece (files.h). */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_TRIES = 1000, FIRST_READ = 1 << 16, MOST_WHOLE = 1 << 20 };

static bool fail(struct file_writer *writer) {
    if (writer->error == 0)
        writer->error = errno != 0 ? errno : EIO;
    return false;
}

/* "dir/.memtally-PID-N.tmp" beside the target: short, whatever the target's name. */
static bool open_beside(struct file_writer *writer) {
    const char *slash = strrchr(writer->target, '/');
    int folder = slash == NULL ? 0 : (int)(slash - writer->target + 1);
    size_t room = (size_t)folder + 64;
    if ((writer->temporary = malloc(room)) == NULL)
        return fail(writer);
    for (int i = 0; i < MOST_TRIES; i++) {
        snprintf(writer->temporary, room, "%.*s.memtally-%ld-%d.tmp", folder, writer->target, (long)getpid(),
                 i);
        writer->fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writer->fd >= 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    free(writer->temporary);
    writer->temporary = NULL;
    return fail(writer);
}

bool file_writer_open(struct file_writer *writer, const char *path, bool (*interrupted)(void)) {
    struct stat info;
    writer->fd = -1;
    writer->error = 0;
    writer->used = 0;
    writer->written = 0;
    writer->interrupted = interrupted;
    writer->temporary = NULL;
    writer->target = realpath(path, NULL);
    if (writer->target == NULL && errno == ENOENT)
        writer->target = strdup(path);
    if (writer->target == NULL)
        return fail(writer);
    if (stat(writer->target, &info) != 0 || S_ISREG(info.st_mode))
        return open_beside(writer);
    writer->fd = open(writer->target, O_WRONLY | O_CLOEXEC); /* a directory says EISDIR */
    return writer->fd >= 0 || fail(writer);
}

/* A signal came: asks whether that is the end of it; errno stays what it is. */
static bool interrupts(bool (*interrupted)(void)) {
    bool end = interrupted();
    errno = EINTR;
    return end;
}

static bool write_all(struct file_writer *writer, const unsigned char *bytes, size_t length) {
    while (length > 0) {
        ssize_t done = write(writer->fd, bytes, length);
        if (done == 0 || (done < 0 && errno != EINTR))
            return fail(writer);
        if (done > 0) {
            writer->written += (uint64_t)done;
            bytes += done;
            length -= (size_t)done;
        }
        if (length > 0 && interrupts(writer->interrupted)) /* a signal cuts a write short, too */
            return fail(writer);
    }
    return true;
}

static bool flush(struct file_writer *writer) {
    size_t used = writer->used;
    writer->used = 0;
    return write_all(writer, writer->buffer, used);
}

status file_writer_put(void *context, const void *bytes, size_t length) {
    struct file_writer *writer = context;
    if (writer->used + length > sizeof writer->buffer && !flush(writer))
        return STATUS_FAILED;
    if (length > sizeof writer->buffer)
        return write_all(writer, bytes, length) ? STATUS_OK : STATUS_FAILED;
    memcpy(writer->buffer + writer->used, bytes, length);
    writer->used += length;
    return STATUS_OK;
}

/* The name must survive a power cut, too; where folders cannot be synchronised, the file itself is safe. */
static void sync_folder(char *path) {
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        slash[1] = '\0';
    int fd = open(slash == NULL ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

int file_writer_close(struct file_writer *writer, bool keep) {
    keep = keep && writer->error == 0 && writer->fd >= 0 && flush(writer);
    if (keep && writer->temporary != NULL && fsync(writer->fd) != 0)
        keep = fail(writer);
    if (writer->fd >= 0 && close(writer->fd) != 0 && keep)
        keep = fail(writer);
    if (keep && writer->temporary != NULL && rename(writer->temporary, writer->target) != 0)
        keep = fail(writer);
    if (!keep && writer->temporary != NULL)
        (void)unlink(writer->temporary);
    if (keep && writer->temporary != NULL)
        sync_folder(writer->target);
    free(writer->temporary);
    free(writer->target);
    return writer->error;
}

/* Reads to the end, or so far as to see that going on is useless. 0 or an errno. */
static int read_all(int fd, struct file_source *source, bytes_test begins_well, bool (*interrupted)(void)) {
    size_t used = 0, room = (size_t)source->length + 1; /* one more: the end shows by getting nothing */
    for (;; room += room / 2 + FIRST_READ) {
        char *grown = realloc(source->bytes, room);
        if (grown == NULL)
            return ENOMEM;
        source->bytes = grown;
        while (used < room) {
            ssize_t got = read(fd, source->bytes + used, room - used);
            if (got < 0 && errno == EINTR && !interrupts(interrupted))
                continue;
            if (got < 0)
                return errno;
            used += (size_t)got;
            source->length = used;
            if (got == 0 || (used > 0 && !begins_well(source->bytes, used)))
                return 0;
        }
    }
}

static int fill_source(struct file_source *source, bytes_test begins_well, bool (*interrupted)(void)) {
    struct stat info;
    if (fstat(source->fd, &info) != 0)
        return errno;
    bool regular = S_ISREG(info.st_mode);
    source->length = regular ? (uint64_t)info.st_size : 0;
    if (regular && info.st_size > MOST_WHOLE)
        return 0;
    int error = read_all(source->fd, source, begins_well, interrupted);
    close(source->fd);
    source->fd = -1;
    return error;
}

struct file_source *file_source_open(const char *path, bytes_test begins_well, bool (*interrupted)(void),
                                     int *error) {
    struct file_source *source = file_source_of_bytes(NULL, 0);
    *error = source == NULL ? ENOMEM : 0;
    if (source == NULL)
        return NULL;
    source->fd = open(path, O_RDONLY | O_CLOEXEC);
    *error = source->fd < 0 ? errno : fill_source(source, begins_well, interrupted);
    if (*error == 0)
        return source;
    file_source_free(source);
    return NULL;
}

struct file_source *file_source_of_bytes(char *bytes, size_t length) {
    struct file_source *source = malloc(sizeof *source);
    if (source == NULL)
        free(bytes);
    else
        *source = (struct file_source){.fd = -1, .bytes = bytes, .length = length};
    return source;
}

void file_source_free(struct file_source *source) {
    if (source == NULL)
        return;
    if (source->fd >= 0)
        close(source->fd);
    free(source->bytes);
    free(source);
}

status file_source_read(void *context, uint64_t offset, void *bytes, size_t length) {
    struct file_source *source = context;
    char *to = bytes;
    while (length > 0) {
        ssize_t got = pread(source->fd, to, length, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            source->error = got < 0 ? errno : 0;
            return STATUS_FAILED;
        }
        to += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return STATUS_OK;
}
