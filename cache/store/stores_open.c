/* stores_open - opens the stores, chooses the common secret, and updates the shares. */
#include "cache/store/stores_parts.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/store/directory.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* Larger than any placement. */
#define PLACEMENT_BYTES (64u << 10)

/* What the directories contain before they are opened. */
struct survey {
    struct placement *placement; /* the latest one; era 0: there is none */
    bool diverged;               /* some were used alone meanwhile */
    bool unequal;                /* not all have the latest */
    bool has_secret;
    struct sip_key secret;
    bool existed[STORES_MAX]; /* it contained a store */
    size_t first;             /* the member that was opened first */
};

/* ---- existing placements ---- */

/* Era 0: there is none that can be read. */
static struct placement *read_placement(const char *path)
{
    static const struct sip_key none;
    struct placement *placement = xmalloc(sizeof(*placement));
    struct buf bytes = BUF_INIT;
    int err = directory_read(path, PLACEMENT_FILE, PLACEMENT_BYTES, &bytes);

    err = err ? err : placement_decode(placement, buf_span(&bytes));
    buf_fini(&bytes);
    if (err == ERR_CORRUPT) {
        log_warn("store_placement_damaged", "dir=%s", path);
    }
    if (err) {
        placement_init(placement, &none);
    }
    return placement;
}

static void compare(struct survey *survey, const struct placement *copy)
{
    const struct placement *latest = survey->placement;

    survey->unequal |= copy->era != latest->era || copy->eras[0] != latest->eras[0];
    survey->diverged |= !placement_knows(latest, copy);
}

static void look_around(struct stores *stores, struct survey *survey)
{
    struct placement *copies[STORES_MAX];

    for (size_t i = 0; i < stores->count; i++) {
        copies[i] = read_placement(stores->members[i].path);
        survey->existed[i] = directory_has_store(stores->members[i].path);
        if (i == 0 || copies[i]->era > survey->placement->era) {
            survey->placement = copies[i];
        }
    }
    for (size_t i = 0; i < stores->count; i++) {
        compare(survey, copies[i]);
        if (copies[i] != survey->placement) {
            free(copies[i]);
        }
    }
    survey->has_secret = survey->placement->era > 0;
    survey->secret = survey->placement->secret;
}

/* ---- opening ---- */

static bool is_open(const struct member *member)
{
    return member->store != NULL;
}

static void leave_out(struct member *member, const char *cause)
{
    snprintf(member->cause, sizeof(member->cause), "%s", cause);
    atomic_store(&member->out, true);
    log_error("store_left_out", "dir=%s cause=%s next=%s", member->path, cause,
              "the others go on; what is in it will not be used when it comes back");
}

/* Is it a copy of another member's store? Two names of one folder are detected by the lock. */
static bool is_copy(const struct stores *stores, const struct member *member)
{
    uint8_t uuid[16], other[16];

    store_uuid(member->store, uuid);
    for (size_t i = 0; i < stores->count; i++) {
        const struct member *before = &stores->members[i];
        if (before != member && is_open(before)) {
            store_uuid(before->store, other);
            if (memcmp(uuid, other, sizeof(uuid)) == 0) {
                return true;
            }
        }
    }
    return false;
}

static int open_member(struct stores *stores, struct survey *survey, size_t number,
                       const struct store_options *common)
{
    struct member *member = &stores->members[number];
    struct store_options options = {
        .path = member->path,
        .size = member->size,
        .dirty_limit = common->dirty_limit,
        .favor = common->favor,
        .secret = survey->has_secret ? &survey->secret : NULL,
        .on_trouble = stores_on_trouble,
        .arg = member,
    };
    int err = store_open(&options, &member->store);

    if (!err && is_copy(stores, member)) {
        store_close(&member->store);
        err = -EEXIST;
    }
    if (!err && !survey->has_secret) {
        survey->has_secret = true;
        survey->secret = *store_secret(member->store);
        survey->first = number;
    }
    if (err && stores->count > 1 && err != ERR_BUSY) {
        leave_out(member, err == -EEXIST ? "a copy of another one" : err_text(err));
    }
    return err;
}

/* Existing stores first: new ones take over their secret. */
static int open_members(struct stores *stores, struct survey *survey,
                        const struct store_options *common)
{
    const size_t count = stores->count;
    size_t open = 0;
    int first = 0;

    for (size_t i = 0; i < 2 * count; i++) {
        size_t number = i % count;
        if (survey->existed[number] != (i < count)) {
            continue;
        }
        int err = open_member(stores, survey, number, common);
        if (err == ERR_BUSY) {
            return err;
        }
        first = first ? first : err;
        open += err == 0;
    }
    return open ? 0 : first;
}

static bool share_disk(const char *path, const char *other)
{
    struct stat one, two;

    return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev;
}

static void warn_of_shared_disks(const struct stores *stores)
{
    for (size_t i = 1; i < stores->count; i++) {
        const char *path = stores->members[i].path;
        size_t j = 0;
        while (j < i && !share_disk(path, stores->members[j].path)) {
            j++;
        }
        if (j < i) {
            log_warn("store_shared_disk", "dir=%s other=%s what=%s", path, stores->members[j].path,
                     "both are on one file system: one failure takes both");
        }
    }
}

static void warn_of_small_disks(const struct stores *stores)
{
    struct statvfs fs;

    for (size_t i = 0; i < stores->count; i++) {
        const struct member *member = &stores->members[i];
        if (!is_open(member) || statvfs(member->path, &fs) != 0) {
            continue;
        }
        uint64_t disk = (uint64_t)fs.f_blocks * fs.f_frsize;
        if (disk < member->size) {
            log_warn("store_exceeds_disk", "dir=%s size=%llu disk=%llu next=%s", member->path,
                     (unsigned long long)member->size, (unsigned long long)disk,
                     "give the store a size that its file system has room for");
        }
    }
}

/* ---- the shares ---- */

/* The placement to assume if none was recorded. */
static void presume(struct stores *stores, const struct survey *survey)
{
    const struct member *first = &stores->members[survey->first];
    struct placement_member alone;

    placement_init(stores->placement, &survey->secret);
    if (survey->existed[survey->first]) {
        stores_describe(first, &alone);
        placement_alone(stores->placement, &alone);
    }
}

static void place(struct stores *stores, struct survey *survey)
{
    struct placement_member members[PLACEMENT_MEMBERS];

    if (survey->placement->era == 0 && stores->count == 1) {
        return; /* a single store that was always used alone */
    }
    stores->placement = survey->placement;
    survey->placement = NULL;
    if (stores->placement->era == 0) {
        presume(stores, survey);
    }
    if (survey->diverged) {
        log_error("stores_diverged", "dir=%s next=%s", stores->members[0].path,
                  "directories were used without each other: the cache starts empty");
    }
    size_t count = stores_in(stores, members);
    if (survey->diverged || !placement_is_of(stores->placement, members, count)) {
        stores_begin_era(stores, survey->diverged);
    } else if (survey->unequal) {
        stores_record(stores);
    }
    stores_publish(stores);
}

static struct stores *stores_new(const struct stores_options *options)
{
    struct stores *stores = xcalloc(1, sizeof(*stores));

    CHECK(options->count > 0 && options->count <= STORES_MAX);
    pthread_mutex_init(&stores->lock, NULL);
    stores->count = options->count;
    stores->members = xcalloc(options->count, sizeof(*stores->members));
    for (size_t i = 0; i < options->count; i++) {
        stores->members[i].stores = stores;
        stores->members[i].path = xspandup(span_str(options->dirs[i].path));
        stores->members[i].size = options->dirs[i].size;
    }
    return stores;
}

bool stores_are_busy(const struct store_dir *dirs, size_t count)
{
    bool busy = false;

    for (size_t i = 0; i < count && !busy; i++) {
        busy = directory_is_busy(dirs[i].path);
    }
    return busy;
}

int stores_open(const struct stores_options *options, struct stores **out)
{
    struct stores *stores = stores_new(options);
    struct survey survey = {0};
    struct store_options common = {
        .dirty_limit = options->dirty_limit / options->count,
        .favor = options->favor,
    };

    look_around(stores, &survey);
    int err = open_members(stores, &survey, &common);
    if (!err) {
        warn_of_shared_disks(stores);
        warn_of_small_disks(stores);
        stores->secret = survey.secret;
        place(stores, &survey);
        atomic_store(&stores->ready, true);
    } else {
        stores_close(&stores);
    }
    free(survey.placement);
    *out = stores;
    return err;
}
