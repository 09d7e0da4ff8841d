/* What event loops see of a store whose files are not in memory, and what is read for them. */
#include "store_kit.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
    const char *key;
    size_t len;
} objects[] = {
    {"in a leaf", 100},    {"just in a leaf", 1500},   {"a page", 3000},
    {"some pages", 40000}, {"a large record", 900000}, {"chunks", 5 * STORE_CHUNK + 77},
    {"empty", 0},
};
enum { OBJECTS = sizeof(objects) / sizeof(objects[0]) };

static void wake(void *arg)
{
    sem_post(arg);
}

struct wait {
    struct store_waiter waiter;
    sem_t sem;
};

static void wait_init(struct wait *wait)
{
    *wait = (struct wait){0};
    sem_init(&wait->sem, 0, 0);
    wait->waiter.wake = wake;
    wait->waiter.arg = &wait->sem;
}

static int find_now(struct kit *kit, const char *key, struct store_read *read,
                    struct store_object *out)
{
    uint8_t hash[STORE_HASH];

    kit_hash(kit->store, span_str(key), hash);
    return store_find_now(kit->store, hash, span_str(key), read, out);
}

static void read_object(struct kit *kit, const char *key, struct wait *wait)
{
    uint8_t hash[STORE_HASH];

    wait_init(wait);
    kit_hash(kit->store, span_str(key), hash);
    cr_assert(store_read_object(kit->store, hash, span_str(key), false, &wait->waiter));
}

/* Bytes of every chunk, lent or read. */
static void compare_chunks(struct kit *kit, const char *key, const struct store_object *object)
{
    char *body = kit_body(span_str(key), (size_t)object->body_len);
    size_t at = 0;

    for (size_t i = 0; i < object->chunk_count; i++) {
        struct store_pin *pin;
        struct span bytes;
        struct wait wait;
        wait_init(&wait);
        int err = store_lend_now(kit->store, &object->chunks[i], &pin, &bytes);
        if (err == ERR_AGAIN) {
            store_read_chunk(kit->store, &object->chunks[i], &wait.waiter);
            sem_wait(&wait.sem);
            err = store_read_bytes(wait.waiter.read, &bytes);
        }
        cr_assert_eq(err, 0, "%s", err_text(err));
        cr_expect(span_eq(bytes, span_of(body + at, object->chunks[i].len)));
        at += object->chunks[i].len;
        store_read_leave(&wait.waiter);
        if (pin) {
            store_unpin(kit->store, pin);
        }
    }
    cr_expect_eq(at, object->body_len);
    free(body);
}

static void check(struct kit *kit, size_t i, int *reads)
{
    struct store_object object;
    int err = kit_find_patiently(kit, objects[i].key, &object, reads);

    cr_assert_eq(err, 0, "%s: %s", objects[i].key, err_text(err));
    if (object.chunk_count) {
        compare_chunks(kit, objects[i].key, &object);
    } else {
        cr_expect_eq(kit_compare(kit->store, objects[i].key, objects[i].len, &object), 0, "%s",
                     objects[i].key);
    }
    store_object_done(kit->store, &object);
}

static void fill(struct kit *kit)
{
    kit_init(kit, 4 * KIT_SIZE);
    for (size_t i = 0; i < OBJECTS; i++) {
        cr_assert_eq(kit_put(kit->store, objects[i].key, objects[i].len), 0);
    }
}

static void cool(struct kit *kit)
{
    if (!kit_reopen_cold(kit)) {
        kit_fini(kit);
        cr_skip_test("this file system keeps files in memory");
    }
}

/* Mappings of files of the store for which the kernel does not count what is used (MADV_RANDOM). */
static unsigned maps_without_use(const struct kit *kit, unsigned *all)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    bool is_ours = false;
    unsigned found = 0;

    cr_assert_not_null(maps);
    *all = 0;
    while (fgets(line, sizeof(line), maps)) {
        if (strncmp(line, "VmFlags:", 8) == 0) {
            *all += is_ours;
            found += is_ours && strstr(line, " rr") != NULL;
            is_ours = false;
        } else if (strstr(line, kit->dir)) {
            is_ours = strstr(line, ".mdb\n") != NULL;
        }
    }
    fclose(maps);
    return found;
}

/* Else branches of the trees leave memory as early as pages used once, and loops fault on them. */
Test(store_cold, what_is_used_through_a_map_counts_as_used)
{
    struct kit kit = {0};
    unsigned all;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "one", 3000), 0);
    cr_expect_eq(kit_check(kit.store, "one", 3000), 0);
    cr_expect_eq(maps_without_use(&kit, &all), 0u);
    cr_expect_geq(all, 2u, "the index, and a segment");
    kit_reopen(&kit);
    cr_expect_eq(kit_check(kit.store, "one", 3000), 0);
    cr_expect_eq(maps_without_use(&kit, &all), 0u);
    cr_expect_geq(all, 2u);
    kit_fini(&kit);
}

Test(store_cold, what_was_just_written_is_found_at_once)
{
    struct kit kit;
    int reads;

    fill(&kit);
    for (size_t i = 0; i < OBJECTS; i++) {
        check(&kit, i, &reads);
        cr_expect_eq(reads, 0, "%s", objects[i].key);
    }
    struct store_object object;
    cr_expect_eq(find_now(&kit, "another", NULL, &object), ERR_NOT_FOUND);
    kit_fini(&kit);
}

Test(store_cold, what_is_on_disk_is_read_and_then_found)
{
    struct kit kit;
    int reads;

    fill(&kit);
    for (size_t i = 0; i < OBJECTS; i++) {
        kit_update(kit.store, i % 2 ? objects[i].key : "nothing");
    }
    store_flush(kit.store);
    for (size_t i = 0; i < OBJECTS; i++) {
        cool(&kit);
        check(&kit, i, &reads);
        cr_expect_eq(reads, 1, "%s: %d", objects[i].key, reads);
        check(&kit, i, &reads);
        cr_expect_eq(reads, 0, "what was read stays in memory: %s", objects[i].key);
    }
    struct store_object object;
    cool(&kit);
    cr_expect_eq(kit_find_patiently(&kit, "another", &object, &reads), ERR_NOT_FOUND);
    store_stop_reads(kit.store); /* they hold what they read until they have told everybody */
    cr_expect_eq(memory_sum(MEMORY_BODIES), 0, "all is given back");
    kit_fini(&kit);
}

/* Also when it is cold again as soon as it was read. */
Test(store_cold, what_was_read_does_until_something_is_committed)
{
    struct kit kit;
    struct wait wait;
    struct store_object object;

    fill(&kit);
    cool(&kit);
    read_object(&kit, "some pages", &wait);
    sem_wait(&wait.sem);
    cr_expect_geq(memory_sum(MEMORY_BODIES), 40000);
    cr_assert_eq(find_now(&kit, "some pages", wait.waiter.read, &object), 0);
    cr_expect_null(object.pin, "it lies in memory of its own");
    store_read_leave(&wait.waiter);
    cr_expect_eq(kit_compare(kit.store, "some pages", 40000, &object), 0);
    store_object_done(kit.store, &object);
    store_stop_reads(kit.store);
    cr_expect_eq(memory_sum(MEMORY_BODIES), 0);
    kit_fini(&kit);
}

Test(store_cold, what_changed_while_it_was_read_is_not_used)
{
    struct kit kit;
    struct wait wait;
    struct store_object object;
    uint8_t hash[STORE_HASH];

    fill(&kit);
    cool(&kit);
    read_object(&kit, "a page", &wait);
    sem_wait(&wait.sem);
    cr_assert_eq(kit_put(kit.store, "a page", 5000), 0);
    cr_assert_eq(find_now(&kit, "a page", wait.waiter.read, &object), 0);
    cr_expect_eq(kit_compare(kit.store, "a page", 5000, &object), 0, "the newer one");
    store_object_done(kit.store, &object);
    store_read_leave(&wait.waiter);

    read_object(&kit, "some pages", &wait);
    sem_wait(&wait.sem);
    kit_hash(kit.store, SPAN("some pages"), hash);
    store_drop(kit.store, hash, NULL, NULL);
    cr_expect_eq(find_now(&kit, "some pages", wait.waiter.read, &object), ERR_NOT_FOUND,
                 "from the moment of the drop");
    store_flush(kit.store);
    cr_expect_eq(find_now(&kit, "some pages", wait.waiter.read, &object), ERR_NOT_FOUND);
    store_read_leave(&wait.waiter);

    read_object(&kit, "a large record", &wait);
    sem_wait(&wait.sem);
    cr_assert_eq(kit_put(kit.store, "another", 100), 0);
    cr_expect_eq(find_now(&kit, "a large record", wait.waiter.read, &object), 0,
                 "what others commit does not matter");
    store_object_done(kit.store, &object);
    store_read_leave(&wait.waiter);
    kit_fini(&kit);
}

Test(store_cold, many_who_want_the_same_wait_for_one_read)
{
    enum { MANY = 40 };
    struct kit kit;
    static struct wait waits[MANY];
    struct store_stats stats;

    fill(&kit);
    cool(&kit);
    for (int i = 0; i < MANY; i++) {
        read_object(&kit, "a large record", &waits[i]);
    }
    for (int i = 0; i < MANY / 2; i++) { /* some have left before it came */
        store_read_leave(&waits[i].waiter);
    }
    for (int i = MANY / 2; i < MANY; i++) {
        struct store_object object;
        sem_wait(&waits[i].sem);
        cr_assert_eq(find_now(&kit, "a large record", waits[i].waiter.read, &object), 0);
        cr_expect_eq(kit_compare(kit.store, "a large record", 900000, &object), 0);
        store_object_done(kit.store, &object);
        store_read_leave(&waits[i].waiter);
    }
    store_stop_reads(kit.store);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.reads + stats.reads_shared, MANY);
    cr_expect_geq(stats.reads_shared, 1);
    cr_expect_eq(stats.reads_waiting, 0);
    kit_fini(&kit);
}

/* Flips a byte in the middle of the only place where these bytes are. */
static void spoil(const struct kit *kit, const char *key, size_t len)
{
    char path[100];
    char *body = kit_body(span_str(key), len);
    static char file[64 << 20];

    for (unsigned id = 1; id < 64; id++) {
        snprintf(path, sizeof(path), "%s/seg-%08x.mdb", kit->dir, id);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, file, sizeof(file));
        const char *at = n > 0 ? memmem(file, (size_t)n, body + len / 2, 64) : NULL;
        if (at) {
            char flipped = (char)(*at ^ 1);
            cr_assert_eq(pwrite(fd, &flipped, 1, at - file), 1);
        }
        close(fd);
    }
    free(body);
}

Test(store_cold, what_is_damaged_on_disk_is_dropped)
{
    struct kit kit;
    struct store_object object;
    struct store_stats stats;
    int reads;

    fill(&kit);
    spoil(&kit, "some pages", 40000);
    cool(&kit);
    cr_expect_eq(kit_find_patiently(&kit, "some pages", &object, &reads), ERR_CORRUPT);
    store_flush(kit.store);
    cr_expect_eq(kit_find_patiently(&kit, "some pages", &object, &reads), ERR_NOT_FOUND);
    store_stats(kit.store, &stats);
    cr_expect_eq(stats.corrupt, 1);
    cr_expect_eq(stats.read_errors, 1);
    kit_fini(&kit);
}

Test(store_cold, a_damaged_chunk_is_not_given_to_anybody)
{
    struct kit kit;
    struct store_object object;
    struct wait wait;
    struct span bytes;
    int reads;

    fill(&kit);
    spoil(&kit, "chunks", 5 * STORE_CHUNK + 77);
    cool(&kit);
    int err = kit_find_patiently(&kit, "chunks", &object, &reads);
    cr_assert_eq(err, 0, "%s after %d", err_text(err), reads);
    wait_init(&wait);
    store_read_chunk(kit.store, &object.chunks[2], &wait.waiter);
    sem_wait(&wait.sem);
    cr_expect_eq(store_read_bytes(wait.waiter.read, &bytes), ERR_CORRUPT);
    store_read_leave(&wait.waiter);
    store_object_done(kit.store, &object);
    cr_expect_eq(kit_find_patiently(&kit, "chunks", &object, &reads), ERR_CORRUPT,
                 "and its object is dropped when it is found next");
    kit_fini(&kit);
}

Test(store_cold, bytes_that_were_lent_can_be_read)
{
    struct kit kit;
    struct store_object object;
    struct wait wait;
    struct span bytes;

    fill(&kit);
    cr_assert_eq(find_now(&kit, "a large record", NULL, &object), 0);
    cr_assert_not_null(object.pin);
    cr_expect(store_is_resident(object.body));
    struct span part = span_take(span_skip(object.body, 12345), 54321);
    wait_init(&wait);
    store_read_lent(kit.store, object.pin, part, &wait.waiter);
    sem_wait(&wait.sem);
    cr_assert_eq(store_read_bytes(wait.waiter.read, &bytes), 0);
    cr_expect(span_eq(bytes, part));
    cr_expect_neq(bytes.at, part.at);
    store_read_leave(&wait.waiter);
    store_object_done(kit.store, &object);
    kit_fini(&kit);
}

Test(store_cold, closing_tells_who_waits)
{
    enum { MANY = 200 };
    struct kit kit;
    static struct wait waits[MANY];
    struct store_object object;
    char key[20];

    fill(&kit);
    cool(&kit);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        read_object(&kit, key, &waits[i]);
    }
    store_stop_reads(kit.store);
    for (int i = 0; i < MANY; i++) {
        sem_wait(&waits[i].sem);
        cr_expect(store_read_is_done(waits[i].waiter.read));
        store_read_leave(&waits[i].waiter);
    }
    read_object(&kit, "a page", &waits[0]);
    cr_expect(store_read_is_done(waits[0].waiter.read), "and who comes later");
    int err = find_now(&kit, "a page", waits[0].waiter.read, &object);
    cr_expect(err == 0 || err == ERR_AGAIN);
    if (!err) {
        store_object_done(kit.store, &object);
    }
    store_read_leave(&waits[0].waiter);
    kit_fini(&kit);
}

/* ---- files of readers ---- */

/* The process's maps of files "…-lock": all, and those that are locked. */
static void count_readers_files(unsigned *mapped, unsigned *locked)
{
    char line[512];
    bool is_one = false;
    FILE *maps = fopen("/proc/self/smaps", "r");

    cr_assert_not_null(maps);
    *mapped = *locked = 0;
    while (fgets(line, sizeof(line), maps)) {
        if (strncmp(line, "Size:", 5) == 0) {
            *mapped += is_one;
        } else if (strncmp(line, "VmFlags:", 8) == 0) {
            *locked += is_one && strstr(line, " lo") != NULL;
        } else if (strchr(line, '-') && strchr(line, ':')) { /* from-to, rights, offset, device … */
            is_one = strstr(line, ".mdb-lock") != NULL;
        }
    }
    fclose(maps);
}

/* Each transaction writes to them: a page that had left was what loops still waited for. */
Test(store_cold, files_of_readers_stay_in_memory)
{
    struct kit kit;
    unsigned mapped, locked;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "one", 40000), 0);
    count_readers_files(&mapped, &locked);
    cr_expect_gt(mapped, 0);
    if (kit_may_lock()) {
        cr_expect_eq(2 * locked, mapped, "%u of %u: each once by LMDB, once by us", locked, mapped);
    }
    kit_fini(&kit);
    count_readers_files(&mapped, &locked);
    cr_expect_eq(mapped, 0, "%u are still mapped", mapped);
}
