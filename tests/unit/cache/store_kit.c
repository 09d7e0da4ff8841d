#include "store_kit.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cache/store/resident.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_uint released, chunks_done;

void kit_init(struct kit *kit, uint64_t size)
{
    *kit = (struct kit){.size = size};
    snprintf(kit->dir, sizeof(kit->dir), "/tmp/larder-store-XXXXXX");
    CHECK(mkdtemp(kit->dir) != NULL);
    kit_reopen(kit);
}

void kit_reopen(struct kit *kit)
{
    struct store_options options = {
        .path = kit->dir, .size = kit->size, .dirty_limit = 64u << 20, .favor = kit->favor};

    store_close(&kit->store);
    CHECK(store_open(&options, &kit->store) == 0);
}

static void each_file(const struct kit *kit, void (*each)(const char *path, void *arg), void *arg)
{
    DIR *dir = opendir(kit->dir);
    struct dirent *entry;

    CHECK(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", kit->dir, entry->d_name);
        if (entry->d_name[0] != '.') {
            each(path, arg);
        }
    }
    closedir(dir);
}

static void remove_file(const char *path, void *arg)
{
    (void)arg;
    unlink(path);
}

static void add_use(const char *path, void *arg)
{
    struct stat file;

    if (stat(path, &file) == 0) {
        uint64_t blocks = (uint64_t)file.st_blocks * 512;
        uint64_t len = (uint64_t)file.st_size;
        *(uint64_t *)arg += blocks > len ? blocks : len;
    }
}

static void let_go(const char *path, void *arg)
{
    struct stat file;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &file) == 0 && file.st_size > 0) {
        void *at = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED, fd, 0);
        fdatasync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        *(bool *)arg = *(bool *)arg && at != MAP_FAILED && !resident(at, 1);
        munmap(at, (size_t)file.st_size);
    }
    close(fd);
}

bool kit_reopen_cold(struct kit *kit)
{
    bool cold = true;

    store_close(&kit->store);
    each_file(kit, let_go, &cold);
    resident_forget();
    kit_reopen(kit);
    return cold;
}

void kit_cool(struct kit *kit)
{
    bool cold = true;

    each_file(kit, let_go, &cold);
    resident_forget();
}

void kit_fini(struct kit *kit)
{
    store_close(&kit->store);
    each_file(kit, remove_file, NULL);
    rmdir(kit->dir);
}

size_t kit_matches(const struct kit *kit, const char *pattern)
{
    char path[128];
    glob_t found;

    snprintf(path, sizeof(path), "%s/%s", kit->dir, pattern);
    size_t count = glob(path, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

uint64_t kit_disk_use(const struct kit *kit)
{
    uint64_t use = 0;

    each_file(kit, add_use, &use);
    return use;
}

void kit_hash(struct store *store, struct span key, uint8_t hash[STORE_HASH])
{
    sip_hash128(store_secret(store), key, hash);
}

static void wake_semaphore(void *arg)
{
    sem_post(arg);
}

int kit_find_patiently(struct kit *kit, const char *key, struct store_object *out, int *reads)
{
    uint8_t hash[STORE_HASH];

    kit_hash(kit->store, span_str(key), hash);
    int err = store_find_now(kit->store, hash, span_str(key), NULL, out);
    for (*reads = 0; err == ERR_AGAIN && *reads < 8; ++*reads) {
        sem_t sem;
        struct store_waiter waiter = {.wake = wake_semaphore, .arg = &sem};
        sem_init(&sem, 0, 0);
        CHECK(store_read_object(kit->store, hash, span_str(key), false, &waiter));
        sem_wait(&sem);
        err = store_find_now(kit->store, hash, span_str(key), waiter.read, out);
        store_read_leave(&waiter);
    }
    return err;
}

char *kit_body(struct span key, size_t len)
{
    static const struct sip_key fixed = {1, 2};
    uint64_t state = sip_hash64(&fixed, key) | 1;
    char *body = xmalloc(len);

    for (size_t i = 0; i < len; i++) { /* xorshift64 */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body[i] = (char)(state >> 32);
    }
    return body;
}

static struct span head_of(const char *key, char *out, size_t size)
{
    return span_of(out, (size_t)snprintf(out, size, "head of %s", key));
}

void kit_on_done(void *arg, int err)
{
    if (arg) {
        *(int *)arg = err;
    }
}

static void on_release(void *arg)
{
    free(arg);
    atomic_fetch_add(&released, 1);
}

static void on_chunk(void *arg, int err, const struct store_chunk *chunk)
{
    (void)arg;
    (void)err;
    (void)chunk;
    atomic_fetch_add(&chunks_done, 1);
}

unsigned kit_released(void)
{
    return atomic_load(&released);
}

unsigned kit_chunks_done(void)
{
    return atomic_load(&chunks_done);
}

static struct store_piece piece_of(const char *body, size_t len)
{
    char *copy = xstrndup(body, len);

    return (struct store_piece){.bytes = span_of(copy, len), .release = on_release, .arg = copy};
}

static void put_chunks(struct store_put *put, const char *body, size_t len)
{
    for (size_t at = 0; at < len; at += STORE_CHUNK) {
        size_t n = len - at < STORE_CHUNK ? len - at : STORE_CHUNK;
        struct store_piece pieces[2] = {piece_of(body + at, n / 2),
                                        piece_of(body + at + n / 2, n - n / 2)};
        store_put_chunk(put, pieces, 2, on_chunk, NULL);
    }
}

static bool post(struct store *store, const char *key, size_t len, int *result)
{
    struct span text = span_str(key);
    uint8_t hash[STORE_HASH];
    struct store_put *put;
    char head[300];
    struct span fields = head_of(key, head, sizeof(head));

    kit_hash(store, text, hash);
    if (store_put_begin(store, hash, text, &put) != 0) {
        return false;
    }
    char *body = kit_body(text, len);
    if (len + fields.len > STORE_INLINE_MAX) {
        put_chunks(put, body, len);
        store_put_finish(put, fields, key, text.len < 20 ? text.len : 20, len, NULL, 0,
                         result ? kit_on_done : NULL, result);
    } else {
        struct store_piece pieces[2] = {piece_of(body, len / 3),
                                        piece_of(body + len / 3, len - len / 3)};
        store_put_finish(put, fields, key, text.len < 20 ? text.len : 20, len, pieces, 2,
                         result ? kit_on_done : NULL, result);
    }
    free(body);
    return true;
}

bool kit_post(struct store *store, const char *key, size_t len)
{
    return post(store, key, len, NULL);
}

void kit_update(struct store *store, const char *key)
{
    struct span text = span_str(key);
    uint8_t hash[STORE_HASH];
    char head[300];

    kit_hash(store, text, hash);
    store_update(store, hash, text, head_of(key, head, sizeof(head)), key,
                 text.len < 20 ? text.len : 20, NULL, NULL);
}

int kit_put(struct store *store, const char *key, size_t len)
{
    int result = 1;

    if (!post(store, key, len, &result)) {
        return ERR_BUSY;
    }
    store_flush(store);
    return result;
}

int kit_find(struct store *store, const char *key, struct store_object *out)
{
    uint8_t hash[STORE_HASH];

    kit_hash(store, span_str(key), hash);
    return store_find(store, hash, span_str(key), out);
}

bool kit_same_in_file(struct file_place place, struct span bytes)
{
    char *read = xmalloc(bytes.len);
    ssize_t n = pread(place.fd, read, bytes.len, (off_t)place.offset);
    bool same = n == (ssize_t)bytes.len && span_eq(span_of(read, bytes.len), bytes);

    free(read);
    return same;
}

static int compare_inline(const struct store_object *object, struct span body)
{
    if (!span_eq(object->body, body)) {
        return ERR_CORRUPT;
    }
    bool is_lent = object->pin && body.len > 0;
    return !is_lent || kit_same_in_file(store_place(object->pin, object->body), body) ? 0 : ERR_IO;
}

static int compare_chunks(struct store *store, const struct store_object *object, const char *body)
{
    for (size_t i = 0; i < object->chunk_count; i++) {
        struct store_pin *pin;
        struct span bytes;
        int err = store_lend(store, &object->chunks[i], &pin, &bytes);
        if (err) {
            return err;
        }
        bool same = span_eq(bytes, span_of(body, object->chunks[i].len)) &&
                    kit_same_in_file(store_place(pin, bytes), bytes);
        store_unpin(store, pin);
        if (!same) {
            return ERR_CORRUPT;
        }
        body += object->chunks[i].len;
    }
    return 0;
}

int kit_compare(struct store *store, const char *key, size_t len, const struct store_object *object)
{
    char head[300];
    size_t key_len = strlen(key);
    struct span meta = span_of(key, key_len < 20 ? key_len : 20);

    if (object->body_len != len || !span_eq(object->head, head_of(key, head, sizeof(head))) ||
        !span_eq(span_of(object->meta, object->meta_len), meta)) {
        return ERR_CORRUPT;
    }
    char *body = kit_body(span_str(key), len);
    int err = object->chunk_count ? compare_chunks(store, object, body)
                                  : compare_inline(object, span_of(body, len));
    free(body);
    return err;
}

int kit_check(struct store *store, const char *key, size_t len)
{
    struct store_object object;
    int err = kit_find(store, key, &object);

    if (!err) {
        err = kit_compare(store, key, len, &object);
        store_object_done(store, &object);
    }
    return err;
}

unsigned long kit_locked_kib(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[128];
    unsigned long kib = 0;

    CHECK(status != NULL);
    while (fgets(line, sizeof(line), status)) {
        if (strncmp(line, "VmLck:", 6) == 0) {
            kib = strtoul(line + 6, NULL, 10);
        }
    }
    fclose(status);
    return kib;
}

bool kit_may_lock(void)
{
    static char page[4096];
    unsigned long before = kit_locked_kib();
    bool locked = mlock(page, sizeof(page)) == 0 && kit_locked_kib() > before;

    munlock(page, sizeof(page));
    return locked;
}
