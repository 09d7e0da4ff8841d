#include "cache/store/disk.h"

#include "base/err.h"
#include "base/log.h"
#include "cache/store/evict.h"
#include "cache/store/sound.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_MIN (UINT64_C(2) << 20) /* an inline object with the longest key fits */
#define SEGMENT_MAX (UINT64_C(8) << 30)
#define SEGMENTS_WANTED 128

/* The lock file of the index, and the directory itself. */
#define OTHER_BYTES (32u << 10)

/* ---- opening ---- */

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

static int lock_directory(struct disk *disk, const char *path)
{
    int err = make_directory(path);

    if (err) {
        return err;
    }
    disk->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->dir < 0) {
        return -errno;
    }
    if (flock(disk->dir, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? ERR_BUSY : -errno;
    }
    return 0;
}

/* Lowering the size leaves an index that is too large, and an index file never shrinks. */
static int open_sound_index(struct disk *disk, const char *path)
{
    char file[PATH_MAX];

    snprintf(file, sizeof(file), "%s/index.mdb", path);
    int err = sound_check(file);
    if (!err) {
        err = index_open(&disk->index, path, disk->size);
    }
    if (!err && index_used(&disk->index) > disk->size / 2) {
        index_close(&disk->index);
        err = ERR_CORRUPT;
    }
    return err;
}

/* A broken index cannot be mended: the store begins anew, and the segments become strays. */
static int open_index(struct disk *disk, const char *path)
{
    int err = open_sound_index(disk, path);

    if (err == ERR_CORRUPT) {
        log_error("store_index_lost", "dir=%s next=%s", path, "the cache starts empty");
        index_remove(path);
        err = index_open(&disk->index, path, disk->size);
    }
    return err;
}

struct listing {
    struct disk *disk;
    uint64_t count;
    uint32_t newest;
};

static void count_segment(void *arg, uint32_t id, uint64_t capacity)
{
    struct listing *listing = arg;

    (void)capacity;
    listing->count++;
    listing->newest = id;
}

static bool file_exists(const struct disk *disk, uint32_t id)
{
    char name[32];

    snprintf(name, sizeof(name), "seg-%08x.mdb", id);
    return faccessat(disk->dir, name, R_OK | W_OK, 0) == 0;
}

static bool is_fit_for_writing(const struct segments *segments, uint32_t id)
{
    char file[PATH_MAX];

    snprintf(file, sizeof(file), "%s/seg-%08x.mdb", segments->home.dir, id);
    return sound_check(file) == 0;
}

static void adopt_segment(void *arg, uint32_t id, uint64_t capacity)
{
    const struct listing *listing = arg;
    struct segments *segments = &listing->disk->segments;
    struct segment *slot = segments_slot(segments, id);

    if (id == 0 || !file_exists(listing->disk, id)) {
        index_drop_segment(&listing->disk->index, id);
        return;
    }
    if (segments_is_live(segments, slot->id)) { /* the table shrank: the newer one stays */
        index_drop_segment(&listing->disk->index, slot->id);
        segment_close(slot);
    }
    segment_adopt(slot, &segments->home, id, capacity,
                  id == listing->newest && is_fit_for_writing(segments, id));
}

/* Goes on where the last run stopped, or leaves the newest segment as it is and begins another. */
static void resume_newest(struct disk *disk, uint32_t id)
{
    struct segment *newest = segments_pin(&disk->segments, id);

    if (newest) {
        disk->open = newest->writable ? newest : NULL;
        segments_unpin(&disk->segments, newest);
    }
}

static uint64_t segment_size_for(uint64_t size)
{
    uint64_t wanted = size / SEGMENTS_WANTED & ~UINT64_C(0xffff);

    return wanted < SEGMENT_MIN ? SEGMENT_MIN : wanted > SEGMENT_MAX ? SEGMENT_MAX : wanted;
}

static int adopt_segments(struct disk *disk, struct listing *listing)
{
    int err = index_begin(&disk->index);

    if (err) {
        return err;
    }
    err = index_each_segment(&disk->index, adopt_segment, listing);
    if (!err) {
        err = index_commit(&disk->index);
    }
    index_abort(&disk->index);
    return err;
}

/* Files the index does not know: of dropped segments, or of a run that died before its commit. */
static void remove_strays(const struct disk *disk)
{
    int fd = openat(disk->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        unsigned id;
        if (sscanf(entry->d_name, "seg-%8x.mdb", &id) == 1 &&
            !segments_is_live(&disk->segments, id)) {
            unlinkat(disk->dir, entry->d_name, 0);
        }
    }
    closedir(dir);
}

static int load_segments(struct disk *disk, const char *path, void (*wake)(void *arg), void *arg)
{
    struct listing listing = {.disk = disk};
    struct segments *segments = &disk->segments;
    uint64_t segment_size = segment_size_for(disk->size);
    int err = index_each_segment(&disk->index, count_segment, &listing);

    if (err) {
        return err;
    }
    segments_init(segments, path, disk->size / segment_size + listing.count);
    segments->segment_size = segment_size;
    segments->next_id = disk->index.next_id;
    segments->wake = wake;
    segments->wake_arg = arg;
    memcpy(segments->home.uuid, disk->index.uuid, sizeof(segments->home.uuid));
    err = adopt_segments(disk, &listing);
    if (!err) {
        resume_newest(disk, listing.newest);
        remove_strays(disk);
        disk_update_gauges(disk);
    }
    return err;
}

int disk_open(struct disk *disk, const char *path, uint64_t size, void (*wake)(void *arg),
              void *arg)
{
    *disk = (struct disk){.dir = -1, .size = size, .object_max = size / 2};
    int err = env_check_version();

    if (!err) {
        err = lock_directory(disk, path);
    }
    if (!err) {
        err = open_index(disk, path);
    }
    if (!err) {
        err = load_segments(disk, path, wake, arg);
    }
    return err;
}

void disk_close(struct disk *disk)
{
    segments_fini(&disk->segments);
    index_close(&disk->index);
    if (disk->dir >= 0) {
        close(disk->dir); /* and with it the lock */
        disk->dir = -1;
    }
}

/* ---- in use ---- */

uint64_t disk_used(const struct disk *disk)
{
    return segments_used(&disk->segments) + index_used(&disk->index) + OTHER_BYTES;
}

void disk_update_gauges(struct disk *disk)
{
    atomic_store_explicit(&disk->counters.used, disk_used(disk), memory_order_relaxed);
    atomic_store_explicit(&disk->counters.segments, segments_live(&disk->segments),
                          memory_order_relaxed);
}

bool disk_has(const struct disk *disk, const struct location *location)
{
    const struct segments *segments = &disk->segments;

    return segments_is_live(segments, location->segment) &&
           segments_is_live(segments, location->low_segment) &&
           (location->head_segment == 0 || segments_is_live(segments, location->head_segment));
}

static int seal_open_segment(struct disk *disk)
{
    struct segment *sealed = disk->open;

    disk->open = NULL;
    return sealed ? segment_commit(sealed) : 0;
}

int disk_next_segment(struct disk *disk)
{
    struct segments *segments = &disk->segments;
    uint32_t id;
    int err = seal_open_segment(disk);

    if (!err) {
        err = evict_make_room(disk, segments->segment_size);
    }
    if (err) {
        return err;
    }
    struct segment *segment = segments_next_free(segments, &id);
    if (!segment) {
        return ERR_FULL;
    }
    err = segment_create(segment, &segments->home, id, segments->segment_size);
    if (err) {
        return err;
    }
    fsync(disk->dir); /* the file's name; without it a power loss costs this segment, no more */
    disk->open = segment;
    return index_put_segment(&disk->index, id, segment->capacity);
}
