#include "cache/store/spare.h"

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void spares_init(struct spares *spares, uint64_t capacity)
{
    bool possible = sysconf(_SC_PAGESIZE) * 2 == SPARE_BLANK;

    *spares = (struct spares){.capacity = possible ? capacity : 0};
}

static void spare_path(const struct segment_home *home, uint32_t id, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/spare-%08x.mdb", home->dir, id);
}

bool spare_is_name(const char *name)
{
    char own[32] = "blank.mdb";
    unsigned id;

    if (sscanf(name, "spare-%8x", &id) == 1) {
        snprintf(own, sizeof(own), "spare-%08x.mdb", id);
    }
    return strcmp(name, own) == 0;
}

/* ---- proof that no pages are in use ---- */

#define WINDOW (UINT64_C(64) << 20) /* most bytes examined at once */
#define PAGE 4096u

static bool is_out_of_memory(int fd, uint64_t from, uint64_t len)
{
    static const unsigned char in_memory = 1;
    unsigned char pages[WINDOW / PAGE];
    void *map = mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, fd, (off_t)from);

    if (map == MAP_FAILED) {
        return false;
    }
    bool known = mincore(map, (size_t)len, pages) == 0;
    munmap(map, (size_t)len);
    for (size_t i = 0; known && i < (len + PAGE - 1) / PAGE; i++) {
        known = !(pages[i] & in_memory);
    }
    return known;
}

bool spare_is_unreferenced(int fd, uint64_t size)
{
    if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) {
        return false;
    }
    for (uint64_t from = 0; from < size; from += WINDOW) {
        if (!is_out_of_memory(fd, from, size - from < WINDOW ? size - from : WINDOW)) {
            return false;
        }
    }
    return true;
}

/* ---- keeping ---- */

static bool file_is_unreferenced(const char *path, uint64_t capacity)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    /* A shorter file was never filled, so most of its blocks would have to be allocated anyway. */
    bool keep = fstat(fd, &file) == 0 && (uint64_t)file.st_size <= capacity &&
                (uint64_t)file.st_size >= capacity / 2 &&
                spare_is_unreferenced(fd, (uint64_t)file.st_size);
    close(fd);
    return keep;
}

bool spare_keep(struct spares *spares, const struct segment_home *home, uint32_t id)
{
    char from[PATH_MAX], to[PATH_MAX];

    if (spares->count == SPARES_MAX || spares->capacity == 0) {
        return false;
    }
    segment_path(home, id, from);
    spare_path(home, id, to);
    if (!file_is_unreferenced(from, spares->capacity) || rename(from, to) != 0) {
        return false;
    }
    segment_unlink(home, id); /* its lock file */
    spares->ids[spares->count++] = id;
    return true;
}

bool spare_unlink(struct spares *spares, const struct segment_home *home)
{
    char path[PATH_MAX];

    if (spares->count == 0) {
        return false;
    }
    spare_path(home, spares->ids[--spares->count], path);
    unlink(path);
    return true;
}

/* ---- using again ---- */

/* What LMDB writes to an empty file. */
static bool make_blank(struct spares *spares, const struct segment_home *home)
{
    char path[PATH_MAX];
    struct env env;

    snprintf(path, sizeof(path), "%s/blank.mdb", home->dir);
    unlink(path);
    if (env_open(&env, path, spares->capacity, MDB_NOLOCK) != 0) {
        unlink(path);
        return false;
    }
    env_close(&env);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        spares->has_blank = pread(fd, spares->blank, SPARE_BLANK, 0) == SPARE_BLANK;
        close(fd);
    }
    unlink(path);
    return spares->has_blank;
}

/* Synced, as an old root must not come back after a power loss, when pages below it are new. */
static bool write_blank(const struct spares *spares, const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    bool ok = pwrite(fd, spares->blank, SPARE_BLANK, 0) == SPARE_BLANK && fdatasync(fd) == 0;
    close(fd);
    return ok;
}

bool spare_take(struct spares *spares, const struct segment_home *home, uint32_t id)
{
    char from[PATH_MAX], to[PATH_MAX];

    if (spares->count == 0) {
        return false;
    }
    spare_path(home, spares->ids[spares->count - 1], from);
    segment_path(home, id, to);
    if ((!spares->has_blank && !make_blank(spares, home)) || !write_blank(spares, from) ||
        rename(from, to) != 0) {
        spare_unlink(spares, home);
        return false;
    }
    spares->count--;
    return true;
}
