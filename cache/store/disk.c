#include "cache/store/disk.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/minmax.h"
#include "cache/store/crashes.h"
#include "cache/store/directory.h"
#include "cache/store/evict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS_WANTED 128

/* How often the index is reopened, as each time costs descriptors. After that nothing is stored
 * until the next start. */
#define REOPEN_MAX 16

/* How often a damaged index is replaced, as the old one stays open, too. */
#define LOSSES_MAX 4

/* Most evictions for one new segment on a full disk. */
#define EVICTIONS_MAX 3

/* The index's lock file, the hole behind it (env.c), and the directory itself. */
#define OTHER_BYTES (160u << 10)

/* ---- opening ---- */

static void close_index(struct index *index)
{
    while (index) {
        struct index *older = index->older;
        index_close(index);
        free(index);
        index = older;
    }
}

static void ignore_segment(void *arg, const struct index_segment *listed)
{
    (void)arg;
    (void)listed;
}

/* A lowered size may leave an index that is too large, and an index file never shrinks. A malformed
 * list of segments means that the index is damaged. */
static int check_usable(const struct disk *disk, struct index *index)
{
    if (index_used(index) > disk->size / 2) {
        return ERR_TOO_LARGE;
    }
    return index_each_segment(index, ignore_segment, NULL) == ERR_CORRUPT ? ERR_CORRUPT : 0;
}

/* *out is NULL on errors. */
static int open_index(const struct disk *disk, const char *path, const struct index *heir_of,
                      struct index **out)
{
    struct index *index = xcalloc(1, sizeof(*index));
    int err = index_open(index, path, disk->size, heir_of);

    if (!err) {
        err = check_usable(disk, index);
        if (err) {
            index_close(index);
        }
    }
    if (err) {
        free(index);
    }
    *out = err ? NULL : index;
    return err;
}

/* Sets the identity that a new index of this store gets. */
static void found(struct index *founder, const struct sip_key *secret)
{
    struct sip_key uuid = sip_key_random();

    *founder = (struct index){.secret = *secret};
    memcpy(founder->uuid, &uuid, sizeof(founder->uuid));
}

static bool same_secret(const struct index *index, const struct sip_key *secret)
{
    return secret == NULL || (index->secret.k0 == secret->k0 && index->secret.k1 == secret->k1);
}

/* Why an index that fails to open like this has to be replaced; NULL: another time it may open. */
static const char *why_useless(int err)
{
    switch (err) {
    case ERR_CORRUPT:
        return "the index is damaged";
    case ERR_UNSUPPORTED:
        return "the index was written by another version";
    case ERR_TOO_LARGE:
        return "the index is too large for the size";
    case -EIO:
        return "the index cannot be read";
    default:
        return NULL;
    }
}

/* A useless index cannot be repaired, and keys with other hashes cannot be found: the store is
 * emptied, and its segments become strays. */
static int open_index_or_anew(struct disk *disk, const char *path, const struct sip_key *secret)
{
    struct index *index, founder;

    if (secret) {
        found(&founder, secret);
    }
    int err = open_index(disk, path, secret ? &founder : NULL, &index);
    const char *why = why_useless(err);
    if (!err && !same_secret(index, secret)) {
        close_index(index);
        why = "its keys are hashed with another secret than those of the other directories";
    }
    if (why) {
        log_error("store_index_lost", "dir=%s why=%s next=%s", path, why, "the cache starts empty");
        index_remove(path);
        err = open_index(disk, path, secret ? &founder : NULL, &index);
    }
    disk->index = index;
    return err;
}

struct listing {
    struct disk *disk;
    uint64_t count;
    uint32_t last; /* the highest id */
};

static void count_segment(void *arg, const struct index_segment *listed)
{
    struct listing *listing = arg;

    listing->count++;
    listing->last = (uint32_t)max_u64(listing->last, listed->id);
    listing->disk->newest[listed->log] = listed->id;
}

static bool file_exists(const struct disk *disk, uint32_t id)
{
    char name[32];

    snprintf(name, sizeof(name), "seg-%08x.mdb", id);
    return faccessat(disk->dir, name, R_OK | W_OK, 0) == 0;
}

static struct segment_spec spec_of(const struct index_segment *listed)
{
    return (struct segment_spec){.id = listed->id,
                                 .log = listed->log,
                                 .capacity = listed->capacity,
                                 .created = listed->created};
}

static void adopt_segment(void *arg, const struct index_segment *listed)
{
    const struct listing *listing = arg;
    const struct disk *disk = listing->disk;
    struct segments *segments = &listing->disk->segments;
    struct segment *slot = segments_slot(segments, listed->id);
    struct segment_spec spec = spec_of(listed);

    if (listed->id == 0 || !file_exists(disk, listed->id)) {
        return;
    }
    if (segments_is_live(segments,
                         slot->id)) { /* the table has become smaller: the newer segment stays */
        segment_close(slot);
    }
    segment_adopt(slot, &segments->home, &spec, listed->id == disk->newest[listed->log]);
}

static uint64_t segment_size_for(uint64_t size)
{
    uint64_t wanted = size / SEGMENTS_WANTED & ~UINT64_C(0xffff);

    return wanted < SEGMENT_CAPACITY_MIN   ? SEGMENT_CAPACITY_MIN
           : wanted > SEGMENT_CAPACITY_MAX ? SEGMENT_CAPACITY_MAX
                                           : wanted;
}

static bool is_stray(const struct disk *disk, const char *name)
{
    uint32_t id;
    bool is_segment = segment_is_name(name, &id) || segment_is_lock_name(name, &id);

    return spare_is_name(name) || (is_segment && !segments_is_live(&disk->segments, id));
}

/* Removes files that the index does not list: those of dropped segments, or of a process that died
 * before its commit. */
static void remove_strays(const struct disk *disk)
{
    int fd = openat(disk->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (is_stray(disk, entry->d_name)) {
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
    int err = index_each_segment(disk->index, count_segment, &listing);

    if (err) {
        return err;
    }
    segments_init(segments, path, disk->size / segment_size + listing.count);
    segments->segment_size = segment_size;
    /* an id must not come back, and no checksum covers the next one */
    segments->next_id = (uint32_t)max_u64(disk->index->next_id, listing.last + UINT64_C(1));
    segments->wake = wake;
    segments->wake_arg = arg;
    memcpy(segments->home.uuid, disk->index->uuid, sizeof(segments->home.uuid));
    s3fifo_init(&disk->policy, disk->size, segment_size, disk->favor);
    spares_init(&disk->spares, segment_size);
    err = index_each_segment(disk->index, adopt_segment, &listing);
    if (!err) {
        remove_strays(disk);
        disk_update_gauges(disk);
    }
    return err;
}

int disk_open(struct disk *disk, const struct store_options *options, void (*wake)(void *arg),
              void *arg)
{
    const char *path = options->path;

    *disk = (struct disk){.dir = -1,
                          .crash_mark = -1,
                          .size = options->size,
                          .object_max = options->size / 2,
                          .favor = options->favor};
    list_init(&disk->puts);
    int err = env_check_version();

    if (!err) {
        err = directory_open(path, &disk->dir);
    }
    if (!err) {
        disk->crash_mark = crashes_open(path, disk->dir, options->size);
    }
    if (!err) {
        err = open_index_or_anew(disk, path, options->secret);
    }
    if (!err) {
        err = load_segments(disk, path, wake, arg);
    }
    return err;
}

void disk_close(struct disk *disk)
{
    while (spare_unlink(&disk->spares, &disk->segments.home)) {
    }
    segments_fini(&disk->segments);
    s3fifo_fini(&disk->policy);
    close_index(disk->index);
    close_index(disk->lost);
    disk->index = disk->lost = NULL;
    crashes_close(disk->crash_mark);
    disk->crash_mark = -1;
    if (disk->dir >= 0) {
        close(disk->dir); /* also gives up the lock */
        disk->dir = -1;
    }
}

/* ---- a damaged index ---- */

void disk_lose_index(struct disk *disk)
{
    log_error("store_index_lost", "dir=%s next=%s", disk->segments.home.dir,
              disk->losses < LOSSES_MAX ? "the cache starts empty"
                                        : "nothing is stored there any more");
    disk->damaged = true;
    disk->checked = false;
}

/* Lookups may be using it, so it stays open. */
static void keep_lost(struct disk *disk, struct index *lost)
{
    struct index *oldest = lost;
    struct stat file;

    while (oldest->older) {
        oldest = oldest->older;
    }
    oldest->older = disk->lost;
    disk->lost = lost;
    disk->losses++;
    if (fstat(lost->env.fd, &file) == 0) { /* its pages may say anything */
        disk->lost_bytes += (uint64_t)file.st_blocks * 512;
    }
}

/* Replaces a damaged index by an empty one. */
static int begin_anew(struct disk *disk)
{
    const char *dir = disk->segments.home.dir;
    struct index *fresh;

    if (disk->losses == LOSSES_MAX) {
        return ERR_IO;
    }
    while (evict_one(disk)) {
    }
    index_remove(dir);
    int err = open_index(disk, dir, disk->index, &fresh);
    if (!err) {
        keep_lost(disk, disk->index);
        disk->index = fresh;
        disk->damaged = false;
    }
    return err;
}

int disk_reopen_index(struct disk *disk)
{
    const char *dir = disk->segments.home.dir;
    uint64_t now = clock_mono_ms();
    struct index *fresh;

    if (disk->reopened == REOPEN_MAX || (disk->reopened && now - disk->reopened_ms < 1000)) {
        return ERR_IO;
    }
    index_part(dir);
    int err = open_index(disk, dir, NULL, &fresh);
    if (!err) {
        fresh->older = disk->index; /* readers may be using it */
        disk->index = fresh;
        disk->reopened++;
        disk->reopened_ms = now;
        log_warn("store_index_reopened", "dir=%s times=%u", dir, disk->reopened);
    }
    return err;
}

/* Continues to write to the newest segment of the last run. If that cannot be opened, it is left
 * unchanged and the next write creates another: it may be intact, and only descriptors may be
 * lacking. */
static void resume_newest(struct disk *disk, enum s3_log log)
{
    uint32_t id = disk->newest[log];
    struct segment *newest = segments_pin(&disk->segments, id);

    if (newest && segment_resume(newest) == 0) {
        disk->open[log] = newest;
    } else if (newest || segments_is_live(&disk->segments, id)) {
        segment_seal(segments_slot(&disk->segments, id));
    }
    if (newest) {
        segments_unpin(&disk->segments, newest);
    }
}

int disk_check(struct disk *disk)
{
    const char *dir = disk->segments.home.dir;
    int err = 0;

    if (disk->checked) {
        return 0;
    }
    if (!disk->damaged) {
        err = index_check(dir);
    }
    if (err == ERR_CORRUPT) {
        disk_lose_index(disk);
    }
    if (disk->damaged) {
        err = begin_anew(disk);
    }
    if (!err) {
        disk->checked = true;
        resume_newest(disk, S3_PROBATION);
        resume_newest(disk, S3_MAIN);
    }
    return err;
}

static void note_missing(void *arg, const struct index_segment *listed)
{
    struct disk *disk = arg;

    if (!segments_is_live(&disk->segments, listed->id)) {
        buf_append(&disk->missing, span_of(&listed->id, sizeof(listed->id)));
    }
}

/* First all are found, then they are deleted: a reader's guard must not leave a call of LMDB that
 * writes. */
int disk_prune(struct disk *disk)
{
    struct buf *missing = &disk->missing;
    uint32_t id;

    int err = disk->pruned ? 0 : index_each_segment(disk->index, note_missing, disk);
    while (!err && buf_len(missing) > 0) {
        memcpy(&id, buf_span(missing).at, sizeof(id));
        buf_consume(missing, sizeof(id));
        index_drop_segment(disk->index, id);
    }
    buf_fini(missing);
    return err;
}

/* ---- while the store is open ---- */

uint64_t disk_used(const struct disk *disk)
{
    return segments_used(&disk->segments) + index_used(disk->index) + disk->lost_bytes +
           OTHER_BYTES;
}

void disk_update_gauges(struct disk *disk)
{
    uint64_t objects;

    if (index_objects(disk->index, &objects) == 0) {
        atomic_store_explicit(&disk->counters.objects, objects, memory_order_relaxed);
    }
    atomic_store_explicit(&disk->counters.used, disk_used(disk) + spares_bytes(&disk->spares),
                          memory_order_relaxed);
    atomic_store_explicit(&disk->counters.spare_bytes, spares_bytes(&disk->spares),
                          memory_order_relaxed);
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

int disk_list(struct disk *disk, const struct segment *segment)
{
    return index_put_segment(disk->index, &(struct index_segment){.id = segment->id,
                                                                  .log = segment->log,
                                                                  .capacity = segment->capacity,
                                                                  .created = segment->created});
}

bool disk_is_open(const struct disk *disk, const struct segment *segment)
{
    return segment == disk->open[S3_PROBATION] || segment == disk->open[S3_MAIN];
}

static int seal_open_segment(struct disk *disk, enum s3_log log)
{
    struct segment *sealed = disk->open[log];

    disk->open[log] = NULL;
    if (!sealed) {
        return 0;
    }
    int err = segment_commit(sealed);
    segment_seal(sealed);
    return err;
}

static bool is_full(int err)
{
    return err == -ENOSPC || err == -EDQUOT;
}

/* Creates a segment. If other files fill the disk, the store shrinks segment by segment instead of
 * failing batches; but by at most EVICTIONS_MAX segments, as unlinked files that are still being
 * read free no room. */
static int create_segment(struct disk *disk, struct segment *segment,
                          const struct segment_spec *spec)
{
    struct segments *segments = &disk->segments;
    bool recycled = spare_take(&disk->spares, &segments->home, spec->id);
    int err = segment_create(segment, &segments->home, spec);

    atomic_fetch_add_explicit(&disk->counters.recycled_segments, recycled, memory_order_relaxed);
    for (int tries = 0; tries < EVICTIONS_MAX && is_full(err); tries++) {
        if (disk->eviction.copying) {
            return ERR_AGAIN; /* called by an eviction, which must not evict another segment */
        }
        log_warn("store_disk_full", "dir=%s next=%s", segments->home.dir,
                 "the oldest segment is given up");
        if (!evict_one(disk)) {
            break;
        }
        err = segment_create(segment, &segments->home, spec);
    }
    return err;
}

int disk_next_segment(struct disk *disk, enum s3_log log)
{
    struct segments *segments = &disk->segments;
    struct segment_spec spec = {
        .log = log, .capacity = segments->segment_size, .created = clock_wall()};
    /* an eviction without room for a new segment continues to fill the open one */
    int err = disk->eviction.copying ? evict_make_room(disk, segments->segment_size) : 0;

    if (!err) {
        err = seal_open_segment(disk, log);
    }
    if (!err && !disk->eviction.copying) {
        err = evict_make_room(disk, segments->segment_size);
    }
    if (err) {
        return err;
    }
    if (disk->open[log]) { /* an eviction has created one meanwhile */
        return 0;
    }
    struct segment *segment = segments_next_free(segments, &spec.id);
    if (!segment) {
        return ERR_FULL;
    }
    err = create_segment(disk, segment, &spec);
    if (err) {
        return err;
    }
    /* makes the file's name durable; if this fails, a power loss costs only this segment */
    fsync(disk->dir);
    disk->open[log] = segment;
    return disk_list(disk, segment);
}
