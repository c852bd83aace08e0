/* files: atomic writing and whole reading of files (files.h). */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_TRIES = 1000, FIRST_READ = 1 << 16 };

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

bool file_writer_open(struct file_writer *writer, const char *path) {
    struct stat info;
    writer->fd = -1;
    writer->error = 0;
    writer->used = 0;
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

static bool write_all(struct file_writer *writer, const unsigned char *bytes, size_t length) {
    while (length > 0) {
        ssize_t done = write(writer->fd, bytes, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail(writer);
        bytes += done;
        length -= (size_t)done;
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
        return STATUS_INVALID;
    if (length > sizeof writer->buffer)
        return write_all(writer, bytes, length) ? STATUS_OK : STATUS_INVALID;
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

static int read_all(int fd, char **bytes, size_t *length) {
    size_t room = 0;
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
        room = (size_t)info.st_size;
    for (*length = 0, room += FIRST_READ;; room += room / 2) {
        char *grown = realloc(*bytes, room);
        if (grown == NULL)
            return ENOMEM;
        *bytes = grown;
        while (*length < room) {
            ssize_t got = read(fd, *bytes + *length, room - *length);
            if (got == 0)
                return 0;
            if (got < 0 && errno != EINTR)
                return errno;
            if (got > 0)
                *length += (size_t)got;
        }
    }
}

int file_read(const char *path, void **bytes, size_t *length) {
    char *buffer = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = read_all(fd, &buffer, length);
    close(fd);
    if (error != 0) {
        free(buffer);
        buffer = NULL;
    }
    *bytes = buffer;
    return error;
}
