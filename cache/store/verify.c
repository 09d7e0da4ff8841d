#include "cache/store/verify.h"

#include "base/err.h"
#include "base/guard.h"
#include "base/lmdb_sound.h"
#include "base/mem.h"
#include "cache/store/directory.h"
#include "cache/store/inspect.h"
#include "cache/store/lookup.h"
#include "cache/store/spare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* So many slots that no two segments share one. */
#define SLOTS_MAX (1u << 18)

enum file_state { FILE_RIGHT, FILE_LOST, FILE_BAD };

struct listed {
    uint32_t id;
    enum file_state state;
};

struct verify {
    const struct verify_options *options;
    struct verify_report report;
    char index[PATH_MAX];
    struct segments segments;
    struct listed *listed; /* by id */
    size_t count, room;
    uint64_t seen; /* records, for the progress */
};

static void complain(struct verify *verify, const char *file, const char *what)
{
    char text[PATH_MAX + 256];

    snprintf(text, sizeof(text), "%s: %s", file, what);
    verify->options->complain(verify->options->arg, text);
}

/* ---- the index ---- */

static int read_identity(struct verify *verify)
{
    static const struct walk_tree tree = {0, {"meta", 4}, false};
    struct walk_value value;
    struct walk walk;
    struct env env;
    int err = env_view(&env, verify->index);

    if (err) {
        return err;
    }
    walk_init(&walk, &env, WALK_READ);
    err = walk_get(&walk, &tree, WALK_LAST, SPAN("store"), &value);
    if (!err) {
        err = value.at ? index_identity(span_of(value.at, value.len), verify->segments.home.uuid)
                       : ERR_CORRUPT;
    }
    walk_fini(&walk);
    env_close(&env);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

static void list_segment(void *arg, struct span key, struct span value)
{
    struct verify *verify = arg;
    struct listed listed = {0};

    if (key.len != sizeof(listed.id)) {
        return;
    }
    memcpy(&listed.id, key.at, sizeof(listed.id));
    if (verify->count == verify->room) {
        verify->room = verify->room ? 2 * verify->room : 256;
        verify->listed = xrealloc(verify->listed, verify->room * sizeof(*verify->listed));
    }
    verify->listed[verify->count++] = listed;
}

/* ---- the segments ---- */

static bool clashes(const struct verify *verify, uint32_t slots)
{
    uint8_t *taken = xcalloc(slots, 1);
    bool clash = false;

    for (size_t i = 0; i < verify->count; i++) {
        uint8_t *slot = &taken[verify->listed[i].id & (slots - 1)];
        clash = clash || *slot;
        *slot = 1;
    }
    free(taken);
    return clash;
}

static int make_table(struct verify *verify)
{
    uint64_t slots = 64;
    uint8_t uuid[16];

    while (slots < 2 * verify->count || clashes(verify, (uint32_t)slots)) {
        slots *= 2;
        if (slots > SLOTS_MAX) {
            return ERR_TOO_LARGE;
        }
    }
    memcpy(uuid, verify->segments.home.uuid, sizeof(uuid));
    segments_init(&verify->segments, verify->options->path, slots / 2);
    memcpy(verify->segments.home.uuid, uuid, sizeof(uuid));
    return 0;
}

static int open_segment(struct verify *verify, uint32_t id, const char *path)
{
    struct stat file;

    if (stat(path, &file) != 0) {
        return -errno;
    }
    int err = lmdb_sound_check(path);
    if (err) {
        return err;
    }
    struct segment_spec spec = {.id = id, .capacity = (uint64_t)file.st_size};
    struct segment *segment = segments_slot(&verify->segments, id);
    segment_adopt(segment, &verify->segments.home, &spec, false);
    err = segment_ready(segment);
    if (err) {
        segment_close(segment);
    }
    return err;
}

static void look_at_segment(struct verify *verify, struct listed *listed)
{
    char path[PATH_MAX];

    segment_path(&verify->segments.home, listed->id, path);
    int err = open_segment(verify, listed->id, path);
    if (!err) {
        verify->report.segments++;
    } else if (err == -ENOENT) {
        listed->state = FILE_LOST;
        verify->report.lost_segments++;
    } else {
        listed->state = FILE_BAD;
        verify->report.bad_files++;
        complain(verify, path,
                 err == ERR_CORRUPT
                     ? "its structure is damaged, or it does not belong to this store"
                     : err_text(err));
    }
}

/* ---- the objects ---- */

static int by_id(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static enum file_state state_of(const struct verify *verify, uint32_t id)
{
    struct listed key = {.id = id};
    const struct listed *found =
        verify->count ? bsearch(&key, verify->listed, verify->count, sizeof(key), by_id) : NULL;

    return found ? found->state : FILE_LOST;
}

/* Judges an object by its segments alone: 0, ERR_NOT_FOUND, or ERR_CORRUPT. */
static int judge_files(const struct verify *verify, const struct location *location)
{
    const uint32_t ids[] = {location->segment, location->low_segment,
                            location->head_segment ? location->head_segment : location->segment};
    int err = 0;

    for (size_t i = 0; i < 3; i++) {
        enum file_state state = state_of(verify, ids[i]);
        if (state == FILE_LOST) {
            return ERR_NOT_FOUND;
        }
        err = state == FILE_BAD ? ERR_CORRUPT : err;
    }
    return err;
}

static bool count_bytes(void *arg, uint64_t bytes)
{
    struct verify *verify = arg;

    verify->report.bytes += bytes;
    return true;
}

static int judge(struct verify *verify, const uint8_t hash[STORE_HASH],
                 const struct location *location)
{
    struct inspection inspection = {&verify->segments, count_bytes, verify};
    int err = judge_files(verify, location);

    return err ? err : inspect_object(&inspection, hash, location);
}

static void complain_of_object(struct verify *verify, const struct location *location, int err)
{
    char path[PATH_MAX], what[128];

    segment_path(&verify->segments.home, location->segment, path);
    snprintf(what, sizeof(what), "object %u: %s", location->object, err_text(err));
    complain(verify, path, what);
}

static void look_at_object(void *arg, struct span key, struct span value)
{
    struct verify *verify = arg;
    uint8_t hash[STORE_HASH] = {0};
    struct location location;

    memcpy(hash, key.at, key.len < STORE_HASH ? key.len : STORE_HASH);
    if (++verify->seen % 64 == 0) {
        verify->options->progress(verify->options->arg, &verify->report);
    }
    if (key.len != STORE_HASH || location_read(value, hash, &location) != 0) {
        verify->report.damaged++;
        complain(verify, verify->index, "a record whose checksum does not hold");
        return;
    }
    int err = judge(verify, hash, &location);
    verify->report.right += err == 0;
    verify->report.dead += err == ERR_NOT_FOUND;
    verify->report.damaged += err == ERR_CORRUPT;
    verify->report.unreadable += err && err != ERR_NOT_FOUND && err != ERR_CORRUPT;
    if (err && err != ERR_NOT_FOUND) {
        complain_of_object(verify, &location, err);
    }
}

/* ---- files that are not listed ---- */

static bool is_stray(const struct verify *verify, const char *name)
{
    struct listed key = {0};

    if (spare_is_name(name)) {
        return true;
    }
    return segment_is_name(name, &key.id) &&
           (verify->count == 0 ||
            !bsearch(&key, verify->listed, verify->count, sizeof(key), by_id));
}

static int count_strays(struct verify *verify)
{
    DIR *dir = opendir(verify->options->path);
    struct dirent *entry;

    if (!dir) {
        return -errno;
    }
    while ((entry = readdir(dir)) != NULL) {
        verify->report.strays += is_stray(verify, entry->d_name);
    }
    closedir(dir);
    return 0;
}

/* ---- the whole store ---- */

static int look_at_all(struct verify *verify)
{
    int err = lmdb_sound_each(verify->index, "seg", list_segment, verify);

    if (!err) {
        err = read_identity(verify);
    }
    if (err) {
        return err;
    }
    qsort(verify->listed, verify->count, sizeof(*verify->listed), by_id);
    err = make_table(verify);
    for (size_t i = 0; i < verify->count && !err; i++) {
        look_at_segment(verify, &verify->listed[i]);
    }
    if (!err) {
        err = lmdb_sound_each(verify->index, "obj", look_at_object, verify);
    }
    return err ? err : count_strays(verify);
}

/* A shared lock: others may verify, too; a writer needs it exclusively. */
static int lock(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) {
        return -errno;
    }
    if (flock(*fd, LOCK_SH | LOCK_NB) == 0) {
        return directory_has_store(path) ? 0 : ERR_NOT_FOUND;
    }
    return errno == EWOULDBLOCK ? ERR_BUSY : -errno;
}

int verify_directory(const struct verify_options *options, struct verify_report *out)
{
    struct verify verify = {.options = options};
    int fd;
    int err = lock(options->path, &fd);

    guard_install();
    if (!err) {
        snprintf(verify.index, sizeof(verify.index), "%s/index.mdb", options->path);
        err = look_at_all(&verify);
        if (err == ERR_CORRUPT || err == ERR_UNSUPPORTED) {
            verify.report.bad_files++;
            complain(
                &verify, verify.index,
                err == ERR_CORRUPT
                    ? "damaged: the proxy will start with an empty store"
                    : "of another version: a proxy of this one will start with an empty store");
            err = 0;
        }
        segments_fini(&verify.segments);
    }
    free(verify.listed);
    if (fd >= 0) {
        close(fd);
    }
    *out = verify.report;
    return err;
}
