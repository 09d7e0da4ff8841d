#include "cache/store/directory.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640

static int make_directory(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0 || len + sizeof("/seg-00000000.mdb-lock") > sizeof(part)) {
        return -ENAMETOOLONG;
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        part[i] = '\0';
        if (mkdir(part, 0750) != 0 && errno != EEXIST) {
            return -errno;
        }
        part[i] = path[i];
    }
    return 0;
}

/* ---- who holds the lock ---- */

/* The process that holds a flock on the file, from the kernel's list; 0: unknown. Lines are like
 * "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF". The device is not compared, as some file
 * systems report another one to stat(). */
static int holder_of(int fd)
{
    FILE *list = fopen("/proc/locks", "re");
    struct stat file;
    char line[256];
    int holder = 0;

    while (list && fstat(fd, &file) == 0 && fgets(line, sizeof(line), list)) {
        unsigned long long inode;
        int pid;
        if (sscanf(line, "%*s FLOCK %*s WRITE %d %*x:%*x:%llu", &pid, &inode) == 2 &&
            inode == file.st_ino && pid > 0) {
            holder = pid;
        }
    }
    if (list) {
        fclose(list);
    }
    return holder;
}

static void name_of(int pid, char *out, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(out, (int)size, file) == NULL) {
        snprintf(out, size, "unknown");
    }
    out[strcspn(out, "\n")] = '\0';
    if (file) {
        fclose(file);
    }
}

static void say_who_has(const char *path, int fd)
{
    char program[64];
    int pid = holder_of(fd);

    if (pid == 0) {
        log_error("store_in_use", "dir=%s by=%s next=%s", path, "another process",
                  "stop that process, or give this one another directory");
        return;
    }
    if (pid == getpid()) {
        log_error("store_in_use", "dir=%s by=%s next=%s", path,
                  "this process, which has it under another name", "name each directory once");
        return;
    }
    name_of(pid, program, sizeof(program));
    log_error("store_in_use", "dir=%s pid=%d program=%s next=%s", path, pid, program,
              "stop that process, or give this one another directory");
}

int directory_open(const char *path, int *fd)
{
    int err = make_directory(path);

    *fd = err ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) {
        return err ? err : -errno;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK ? ERR_BUSY : -errno;
        if (err == ERR_BUSY) {
            say_who_has(path, *fd);
        }
        close(*fd);
        *fd = -1;
    }
    return err;
}

bool directory_is_busy(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    bool busy = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return busy;
}

bool directory_has_store(const char *path)
{
    char name[PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s/index.mdb", path);

    return len > 0 && (size_t)len < sizeof(name) && access(name, F_OK) == 0;
}

/* ---- small files ---- */

static int path_of(char out[PATH_MAX], const char *path, const char *name, const char *suffix)
{
    int len = snprintf(out, PATH_MAX, "%s/%s%s", path, name, suffix);

    return len > 0 && len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int directory_read(const char *path, const char *name, size_t max, struct buf *out)
{
    char file[PATH_MAX];
    size_t before = buf_len(out);
    int err = path_of(file, path, name, "");
    int fd = err ? -1 : open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return err ? err : -errno;
    }
    ssize_t n;
    do {
        n = read(fd, buf_reserve(out, 4096), 4096);
        buf_commit(out, n > 0 ? (size_t)n : 0);
    } while (n > 0 && buf_len(out) - before <= max);
    err = n < 0 ? -errno : 0;
    close(fd);
    return !err && buf_len(out) - before > max ? ERR_TOO_LARGE : err;
}

static int write_all(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.at, bytes.len);
        if (n < 0) {
            return -errno;
        }
        bytes = span_skip(bytes, (size_t)n);
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

static int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 || fsync(fd) != 0 ? -errno : 0;

    if (fd >= 0) {
        close(fd);
    }
    return err;
}

int directory_write(const char *path, const char *name, struct span bytes)
{
    char file[PATH_MAX], fresh[PATH_MAX];
    int err = path_of(file, path, name, "");

    err = err ? err : path_of(fresh, path, name, ".new");
    int fd = err ? -1 : open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        return err ? err : -errno;
    }
    err = write_all(fd, bytes);
    close(fd);
    if (!err && rename(fresh, file) != 0) {
        err = -errno;
    }
    if (err) {
        unlink(fresh);
    }
    return err ? err : sync_directory(path);
}
