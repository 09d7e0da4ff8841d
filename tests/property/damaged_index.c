/* Pages of an index that go bad while it is in use: damaged-index [--seed N|fresh] [--cases N]
 *
 * In each case a process of its own opens a copy of an index, writes to it, damages some of its
 * pages as a disk might, and writes again, as the store's writer does: single records, ranges of
 * them, nearly all. It must live: the damage is found, or met by nobody; as an error that is none,
 * it would fail each batch until the next start. In every fourth case nothing is damaged, and
 * nothing may be found; and every page that LMDB has copied or merged must have been checked
 * before. */
#include "base/check.h"
#include "base/err.h"
#include "base/guard.h"
#include "base/lmdb_page.h"
#include "base/mem.h"
#include "cache/store/index.h"
#include "cache/store/vouch_parts.h"
#include "option.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RECORDS = 12000,
    SEGMENTS = 20,
    USES = 40,
    PAGE = 4096,
    FREE_LIST = 0, /* LMDB's handle of it */
    TRANSACTIONS = 4,
    FAILURES_MAX = 10,
    ENOUGH_CASES = 100,
};

/* How a case ends, as the exit status of its process. */
enum { END_INTACT, END_FOUND, END_LEFT, END_FALSE_ALARM, END_UNCHECKED, END_ERROR, ENDS };

static const char *const end_names[ENDS] = {
    [END_INTACT] = "met by nobody",
    [END_FOUND] = "found",
    [END_LEFT] = "left by a jump",
    [END_FALSE_ALARM] = "FOUND WHERE NOTHING IS",
    [END_UNCHECKED] = "CHANGED, NOT CHECKED",
    [END_ERROR] = "FAILED, NOTHING FOUND",
};

/* ---- chance ---- */

static uint64_t state;

static uint64_t any(uint64_t below)
{
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

/* ---- what is written ---- */

static void hash_of(uint8_t hash[STORE_HASH], uint64_t i)
{
    static const struct sip_key fixed = {3, 4};

    sip_hash128(&fixed, span_of(&i, sizeof(i)), hash);
}

static int put_one(struct index *index, uint64_t i)
{
    struct location location = {.segment = 1 + (uint32_t)any(SEGMENTS),
                                .object = 1 + (uint32_t)any(1000),
                                .body_len = any(100000),
                                .head_len = (uint32_t)any(2000),
                                .meta_len = (uint32_t)any(STORE_META_MAX + 1)};
    uint8_t hash[STORE_HASH];

    location.low_segment = location.segment;
    hash_of(hash, i);
    return index_put(index, hash, &location);
}

static int put_some(struct index *index, uint64_t count)
{
    int err = 0;

    for (uint64_t i = 0; i < count && !err; i++) {
        err = put_one(index, any(2 * RECORDS));
    }
    return err;
}

static int drop_some(struct index *index, uint64_t count)
{
    uint8_t hash[STORE_HASH];
    int err = 0;

    for (uint64_t i = 0; i < count && !err; i++) {
        hash_of(hash, any(2 * RECORDS));
        err = index_drop(index, hash);
    }
    return err;
}

/* Neighbours, so that pages are merged. `spared`: about one of so many stays. */
static int drop_range(struct index *index, size_t count, uint64_t spared)
{
    enum { STEP = 50 };
    uint8_t from[STORE_HASH];
    struct index_object found[STEP];
    size_t got = STEP;
    int err = 0;

    hash_of(from, any(RECORDS));
    for (size_t done = 0; done < count && got == STEP && !err; done += STEP) {
        err = index_next(index, from, found, STEP, &got);
        for (size_t i = 0; i < got && !err; i++) {
            err = any(spared) ? index_drop(index, found[i].hash) : 0;
        }
    }
    return err == ERR_CORRUPT ? 0 : err; /* the pages that readers meet are not the writer's */
}

static bool is_of_segment(void *arg, const struct location *location)
{
    return location->segment % 4 == *(uint32_t *)arg;
}

static int sweep(struct index *index)
{
    uint32_t dead = (uint32_t)any(4);

    return index_sweep(index, (unsigned)any(4000), is_of_segment, &dead);
}

static int put_uses(struct index *index, uint64_t count)
{
    uint8_t bytes[1024];
    bool written;
    int err = 0;

    for (uint64_t i = 0; i < count && !err; i++) {
        memset(bytes, (int)any(256), sizeof(bytes));
        err = index_put_uses(index, 1 + (uint32_t)any(SEGMENTS), (uint32_t)any(USES),
                             span_of(bytes, sizeof(bytes)), &written);
    }
    return err;
}

static int put_segment(struct index *index, uint32_t id)
{
    struct index_segment segment = {
        .id = id, .log = S3_MAIN, .capacity = SEGMENT_CAPACITY_MIN, .created = id};

    return index_put_segment(index, &segment);
}

static int do_something(struct index *index)
{
    switch (any(9)) {
    case 0:
    case 1:
        return put_some(index, any(400));
    case 2:
        return drop_some(index, any(400));
    case 3:
        return drop_range(index, any(1000), 1000);
    case 4:
        return drop_range(index, any(1000), 20);
    case 5:
        return any(4) ? 0 : drop_range(index, 2 * RECORDS, 200);
    case 6:
        return sweep(index);
    case 7:
        return put_uses(index, any(60));
    default:
        return any(2) ? put_segment(index, 1 + (uint32_t)any(2 * SEGMENTS))
                      : index_drop_segment(index, 1 + (uint32_t)any(SEGMENTS));
    }
}

/* ---- which pages LMDB has changed ---- */

/* The pages of the named trees, as of the commit before a transaction. */
struct trees {
    struct lmdb_image image;
    bool *has; /* by number */
};

static void note_page(struct trees *trees, uint64_t number, unsigned depth)
{
    struct page page;
    struct lmdb_item item;

    CHECK(number < trees->image.pages && lmdb_page_read(&trees->image, number, depth == 1, &page));
    trees->has[number] = true;
    for (unsigned i = 0; depth > 1 && i < page_nodes(&page); i++) {
        CHECK(lmdb_item_read(trees->image.page_size, lmdb_page_at(&trees->image, number), &page, i,
                             &item));
        note_page(trees, node_child(&item.node), depth - 1);
    }
}

static struct trees trees_of(const struct vouch *vouch)
{
    struct trees trees = {vouch->image, xcalloc(vouch->image.pages, sizeof(*trees.has))};

    for (unsigned i = 0; i < VOUCH_TREES; i++) {
        if (vouch->roots[i].root != NO_PAGE) {
            note_page(&trees, vouch->roots[i].root, vouch->roots[i].depth);
        }
    }
    return trees;
}

static bool is_checked(const struct vouch *vouch, uint64_t page)
{
    return vouch->pages && vouch_page(vouch, page)->turn == vouch->turn;
}

/* What a commit has replaced is in its list of free pages. */
static bool all_were_checked(struct index *index, const struct trees *trees, uint64_t commit)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key = env_val(&commit, sizeof(commit)), list;
    uint64_t count = 0, page;
    bool all = true;

    CHECK(mdb_txn_begin(index->env.lmdb, NULL, MDB_RDONLY, &txn) == 0);
    CHECK(mdb_cursor_open(txn, FREE_LIST, &cursor) == 0);
    if (mdb_cursor_get(cursor, &key, &list, MDB_SET) == 0) {
        memcpy(&count, list.mv_data, sizeof(count));
    }
    mdb_cursor_close(cursor);
    for (uint64_t i = 1; i <= count && all; i++) {
        memcpy(&page, (const char *)list.mv_data + i * sizeof(page), sizeof(page));
        all = page >= trees->image.pages || !trees->has[page] || is_checked(&index->vouch, page);
    }
    mdb_txn_abort(txn);
    return all;
}

/* ---- a batch ---- */

static int write_steps(struct index *index)
{
    uint64_t steps = 1 + any(5);
    int err = 0;

    for (uint64_t i = 0; i < steps && !err; i++) {
        err = do_something(index);
    }
    return err;
}

static int write_batch(struct index *index)
{
    int err = index_begin(index);

    err = err ? err : write_steps(index);
    if (!err && !index->is_unsound) {
        err = index_commit(index);
    }
    index_abort(index);
    return err;
}

/* Of an index that is not damaged. False: the commit has changed a page that was not checked. */
static bool watch_batch(struct index *index, int *err)
{
    bool all = true;

    *err = index_begin(index);
    if (*err) {
        return true;
    }
    uint64_t commit = mdb_txn_id(index->txn);
    struct trees trees = trees_of(&index->vouch);
    *err = write_steps(index);
    if (!*err && !index->is_unsound) {
        *err = index_commit(index);
        all = *err || all_were_checked(index, &trees, commit);
    }
    index_abort(index);
    free(trees.has);
    return all;
}

/* ---- damage ---- */

static void harm_page(int fd, off_t page, off_t pages)
{
    char bytes[PAGE];
    off_t other = (off_t)any((uint64_t)pages);

    CHECK(pread(fd, bytes, PAGE, page * PAGE) == PAGE);
    switch (any(8)) {
    case 0:
        memset(bytes, 0, PAGE);
        break;
    case 1:
        CHECK(pread(fd, bytes, PAGE, other * PAGE) == PAGE);
        break;
    case 2:
        for (size_t i = sizeof(struct page); i < PAGE; i++) {
            bytes[i] = (char)any(256);
        }
        break;
    case 3:
        memset(bytes + any(PAGE / 2), (int)any(256), PAGE / 2);
        break;
    default:
        for (uint64_t i = 1 + any(4); i > 0; i--) {
            bytes[any(any(2) ? PAGE : 64)] ^= (char)(1 << any(8));
        }
    }
    CHECK(pwrite(fd, bytes, PAGE, page * PAGE) == PAGE);
}

/* Most of the pages are leaves with records: half the time one of the others is chosen, if chance
 * finds one. */
static off_t choose_page(int fd, off_t pages)
{
    off_t page = 0;
    bool wants_other = any(2);

    for (int tries = 0; tries < 200; tries++) {
        struct page header;
        page = (off_t)any((uint64_t)pages);
        CHECK(pread(fd, &header, sizeof(header), page * PAGE) == sizeof(header));
        if (!wants_other || header.flags != PAGE_LEAF || page < 2) {
            break;
        }
    }
    return page;
}

static void damage(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat file;

    CHECK(fd >= 0 && fstat(fd, &file) == 0);
    off_t pages = file.st_size / PAGE;
    for (uint64_t i = 1 + any(any(2) ? 3 : 40); i > 0; i--) {
        harm_page(fd, choose_page(fd, pages), pages);
    }
    close(fd);
}

/* ---- a case ---- */

static int call_fill(void *arg)
{
    struct index *index = arg;
    int err = 0;

    for (uint64_t i = 0; i < RECORDS && !err; i += 1000) {
        err = index_begin(index);
        for (uint64_t k = i; k < i + 1000 && !err; k++) {
            err = put_one(index, k);
        }
        for (uint32_t id = 1; id <= SEGMENTS && !err; id++) {
            err = put_segment(index, id);
        }
        err = err ? err : put_uses(index, 200);
        err = err ? err : drop_some(index, 30);
        err = err ? err : index_commit(index);
    }
    return err;
}

static void make_original(const char *dir)
{
    struct index index;

    state = 1;
    CHECK(index_open(&index, dir, 64u << 20, NULL) == 0);
    CHECK(guard_work(call_fill, &index) == 0);
    index_close(&index);
}

static void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    struct stat file;

    CHECK(in >= 0 && out >= 0 && fstat(in, &file) == 0);
    CHECK(copy_file_range(in, NULL, out, NULL, (size_t)file.st_size, 0) == file.st_size);
    close(in);
    close(out);
}

struct writing {
    struct index *index;
    const char *path;
    bool is_damaged;
    bool is_unchecked;
    int err;
};

static int call_write(void *arg)
{
    struct writing *writing = arg;

    CHECK(write_batch(writing->index) == 0);
    if (writing->is_damaged) {
        damage(writing->path);
    }
    for (int i = 0; i < TRANSACTIONS && !writing->err && !writing->index->is_unsound; i++) {
        if (writing->is_damaged) {
            writing->err = write_batch(writing->index);
        } else {
            writing->is_unchecked |= !watch_batch(writing->index, &writing->err);
        }
    }
    return 0;
}

static int run_case(const char *original, const char *dir, uint64_t seed)
{
    struct index index;
    char path[128];

    state = seed;
    snprintf(path, sizeof(path), "%s/index.mdb", dir);
    copy_file(original, path);
    CHECK(index_open(&index, dir, 64u << 20, NULL) == 0);
    struct writing writing = {.index = &index, .path = path, .is_damaged = any(4) != 0};
    int left = guard_work(call_write, &writing);
    if (!writing.is_damaged && (index.is_unsound || left)) {
        return END_FALSE_ALARM;
    }
    if (writing.is_unchecked) {
        return END_UNCHECKED;
    }
    if (writing.err && !index.is_unsound && !left) {
        return END_ERROR;
    }
    return left ? END_LEFT : index.is_unsound ? END_FOUND : END_INTACT;
}

/* The exit status of the case's process; ENDS if it died. */
static int end_of(const char *original, const char *dir, uint64_t seed)
{
    int status;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        _exit(run_case(original, dir, seed));
    }
    CHECK(waitpid(child, &status, 0) == child);
    index_remove(dir);
    if (WIFSIGNALED(status)) {
        printf("died of signal %d\n", WTERMSIG(status));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) < ENDS ? WEXITSTATUS(status) : ENDS;
}

/* ---- main ---- */

int main(int argc, char **argv)
{
    uint64_t seed = option(argc, argv, "--seed", 1);
    uint64_t cases = option(argc, argv, "--cases", 120);
    uint64_t counts[ENDS + 1] = {0}, failures = 0;
    char first[] = "/tmp/larder-damaged-XXXXXX", dir[] = "/tmp/larder-damaged-XXXXXX";
    char original[128];

    printf("seed %" PRIu64 ", %" PRIu64 " cases\n", seed, cases);
    CHECK(mkdtemp(first) && mkdtemp(dir));
    guard_install();
    make_original(first);
    snprintf(original, sizeof(original), "%s/index.mdb", first);
    for (uint64_t i = 0; i < cases && failures < FAILURES_MAX; i++) {
        fflush(stdout);
        int end = end_of(original, dir, seed * UINT64_C(0x100000001b3) + i);
        counts[end]++;
        if (end >= END_FALSE_ALARM) {
            printf("case %" PRIu64 " of seed %" PRIu64 ": %s\n", i, seed,
                   end == ENDS ? "DIED" : end_names[end]);
            failures++;
        }
    }
    index_remove(first);
    rmdir(first);
    rmdir(dir);
    for (int i = 0; i < ENDS; i++) {
        printf("%-24s %6" PRIu64 "\n", end_names[i], counts[i]);
    }
    printf("%-24s %6" PRIu64 "\n", "DIED", counts[ENDS]);
    bool reached = counts[END_INTACT] > 0 && counts[END_FOUND] > 0;
    return failures || (!reached && cases >= ENOUGH_CASES) ? 1 : 0;
}
