#include "cache/scopes.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "http/put.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * A set is immutable and replaced as a whole. Its scopes are sorted, so the scopes that contain a
 * place are the last scope sorted not after it, if that contains it, and its parents.
 *
 * A reader of a set holds a lane, which is a lock shared with few other threads. The thread that
 * has replaced the set takes every lane once before it frees the old set.
 */
enum { LANES = 64, NONE = -1 };

struct scope {
    struct span text;
    uint64_t salt;
    int parent; /* index of the longest other scope that is a prefix of this one, or NONE */
};

struct scope_set {
    uint64_t serial;
    size_t count;
    struct scope at[]; /* followed by the texts */
};

struct lane {
    _Alignas(64) pthread_mutex_t lock;
};

struct scopes {
    struct lane lanes[LANES];
    _Atomic(struct scope_set *) set; /* NULL: nothing was purged so far */
    pthread_mutex_t lock;            /* held for replacing the set */
};

/* ---- life ---- */

struct scopes *scopes_new(void)
{
    struct scopes *scopes = aligned_alloc(_Alignof(struct lane), sizeof(*scopes));

    CHECK(scopes);
    memset(scopes, 0, sizeof(*scopes));
    for (size_t i = 0; i < LANES; i++) {
        CHECK(pthread_mutex_init(&scopes->lanes[i].lock, NULL) == 0);
    }
    CHECK(pthread_mutex_init(&scopes->lock, NULL) == 0);
    return scopes;
}

void scopes_free(struct scopes **slot)
{
    struct scopes *scopes = *slot;

    *slot = NULL;
    if (scopes == NULL) {
        return;
    }
    for (size_t i = 0; i < LANES; i++) {
        pthread_mutex_destroy(&scopes->lanes[i].lock);
    }
    pthread_mutex_destroy(&scopes->lock);
    free(atomic_load(&scopes->set));
    free(scopes);
}

/* ---- places ---- */

struct span scope_host(const struct uri *uri, struct arena *arena)
{
    return arena_printf(arena, "%.*s ", SPAN_ARGS(uri->host));
}

struct span scope_place(const struct uri *uri, struct span zone, struct arena *arena)
{
    size_t frame = sizeof(" https:65535  ");
    char *start = arena_alloc(arena, uri->host.len + frame + zone.len + uri->path.len);
    char *at = put_span(start, uri->host);

    at = put_span(at, uri->https ? SPAN(" https:") : SPAN(" http:"));
    at = put_number(at, uri->port);
    at = put_span(put_span(at, SPAN(" ")), zone);
    at = put_span(put_span(at, SPAN(" ")), uri->path);
    return span_from_to(start, at);
}

/* ---- salts ---- */

/* How many scopes sort not after the text. */
static size_t count_up_to(const struct scope_set *set, struct span text)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_cmp(set->at[middle].text, text) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t salt_of(const struct scope_set *set, struct span place)
{
    uint64_t salt = 0;

    for (int i = (int)count_up_to(set, place) - 1; i != NONE; i = set->at[i].parent) {
        salt ^= span_starts(place, set->at[i].text) ? set->at[i].salt : 0;
    }
    return salt;
}

/* The lane of this thread, which few other threads share. */
static struct lane *lane_of_thread(struct scopes *scopes)
{
    static atomic_uint threads;
    static _Thread_local unsigned mine; /* from 1 on; 0: not assigned so far */

    if (mine == 0) {
        mine = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % LANES + 1;
    }
    return &scopes->lanes[mine - 1];
}

uint64_t scopes_salt(struct scopes *scopes, const struct uri *uri, struct span zone,
                     struct arena *arena)
{
    if (atomic_load_explicit(&scopes->set, memory_order_relaxed) == NULL) {
        return 0;
    }
    struct span place = scope_place(uri, zone, arena);
    struct lane *lane = lane_of_thread(scopes);
    pthread_mutex_lock(&lane->lock);
    uint64_t salt = salt_of(atomic_load_explicit(&scopes->set, memory_order_acquire), place);
    pthread_mutex_unlock(&lane->lock);
    return salt;
}

/* ---- sets ---- */

/* A set with room for `count` scopes with texts of `bytes`; *text is where these begin. */
static struct scope_set *set_new(size_t count, size_t bytes, uint64_t serial, char **text)
{
    struct scope_set *set = xmalloc(sizeof(*set) + count * sizeof(set->at[0]) + bytes);

    set->serial = serial;
    set->count = 0;
    *text = (char *)(set->at + count);
    return set;
}

/* Appends a scope; scopes are appended in sorted order. */
static void set_add(struct scope_set *set, char **text, struct span bytes, uint64_t salt)
{
    struct scope *scope = &set->at[set->count];
    int parent = (int)set->count - 1;

    *scope = (struct scope){span_of(*text, bytes.len), salt, NONE};
    *text = put_span(*text, bytes);
    while (parent != NONE && !span_starts(scope->text, set->at[parent].text)) {
        parent = set->at[parent].parent;
    }
    scope->parent = parent;
    set->count++;
}

/* Under the lock. When it returns, no reader uses the old set any more. */
static void replace(struct scopes *scopes, struct scope_set *set)
{
    struct scope_set *old = atomic_exchange(&scopes->set, set);

    for (size_t i = 0; i < LANES; i++) {
        pthread_mutex_lock(&scopes->lanes[i].lock);
        pthread_mutex_unlock(&scopes->lanes[i].lock);
    }
    free(old);
}

static uint64_t random_salt(void)
{
    return sip_key_random().k0 | 1;
}

/* The scopes of `old` that do not begin with `text`, and `text` itself. NULL: there are too
 * many. */
static struct scope_set *set_with(const struct scope_set *old, struct span text)
{
    size_t before = old ? count_up_to(old, text) : 0, count = old ? old->count : 0;
    size_t bytes = text.len;
    char *room;

    before -= before > 0 && span_eq(old->at[before - 1].text, text);
    size_t after = before;
    while (after < count && span_starts(old->at[after].text, text)) {
        after++;
    }
    for (size_t i = 0; i < count; i++) {
        bytes += old->at[i].text.len;
    }
    if (count - (after - before) == SCOPES_MAX) {
        return NULL;
    }
    struct scope_set *set = set_new(count + 1, bytes, old ? old->serial + 1 : 1, &room);
    for (size_t i = 0; i < before; i++) {
        set_add(set, &room, old->at[i].text, old->at[i].salt);
    }
    set_add(set, &room, text, random_salt());
    for (size_t i = after; i < count; i++) {
        set_add(set, &room, old->at[i].text, old->at[i].salt);
    }
    return set;
}

int scopes_purge(struct scopes *scopes, struct span text)
{
    if (text.len > SCOPE_TEXT_MAX) {
        return ERR_TOO_LARGE;
    }
    pthread_mutex_lock(&scopes->lock);
    struct scope_set *set = set_with(atomic_load(&scopes->set), text);
    if (set) {
        replace(scopes, set);
    }
    pthread_mutex_unlock(&scopes->lock);
    return set ? 0 : ERR_FULL;
}

/* ---- as bytes ---- */

/*
 *   u64 sum   u32 format (1)   u32 number of scopes   u64 serial
 *   then each, sorted: u64 salt   u64 length   text
 *
 * Little endian, unaligned. The sum is SipHash of all bytes behind it. Read as untrusted input,
 * because a disk may return anything.
 */
enum { SCOPES_FORMAT = 1 };

struct scopes_head {
    uint64_t sum;
    uint32_t format, count;
    uint64_t serial;
};
struct scope_head {
    uint64_t salt, len;
};
_Static_assert(sizeof(struct scopes_head) == 24 && sizeof(struct scope_head) == 16, "drawn above");

static uint64_t sum_of(struct span bytes)
{
    static const struct sip_key key = {UINT64_C(0x6c6172646572), 1};

    return sip_hash64(&key, span_skip(bytes, sizeof(uint64_t)));
}

void scopes_encode(struct scopes *scopes, struct buf *out)
{
    size_t before = buf_len(out);

    pthread_mutex_lock(&scopes->lock);
    const struct scope_set *set = atomic_load(&scopes->set);
    struct scopes_head head = {.format = SCOPES_FORMAT,
                               .count = set ? (uint32_t)set->count : 0,
                               .serial = set ? set->serial : 0};
    buf_append(out, span_of(&head, sizeof(head)));
    for (size_t i = 0; i < head.count; i++) {
        struct scope_head one = {set->at[i].salt, set->at[i].text.len};
        buf_append(out, span_of(&one, sizeof(one)));
        buf_append(out, set->at[i].text);
    }
    pthread_mutex_unlock(&scopes->lock);
    head.sum = sum_of(span_skip(buf_span(out), before));
    memcpy(out->data + out->start + before, &head.sum, sizeof(head.sum));
}

uint64_t scopes_serial(struct scopes *scopes)
{
    pthread_mutex_lock(&scopes->lock);
    const struct scope_set *set = atomic_load(&scopes->set);
    uint64_t serial = set ? set->serial : 0;
    pthread_mutex_unlock(&scopes->lock);
    return serial;
}

/* Returns NULL if the rows are malformed or not sorted. */
static struct scope_set *decode_rows(const struct scopes_head *head, struct span rows)
{
    struct span last = SPAN_EMPTY;
    char *room;
    struct scope_set *set = set_new(head->count, rows.len, head->serial, &room);

    for (uint32_t i = 0; i < head->count; i++) {
        struct scope_head one = {0, UINT64_MAX};
        if (rows.len >= sizeof(one)) {
            memcpy(&one, rows.at, sizeof(one));
            rows = span_skip(rows, sizeof(one));
        }
        if (one.len > rows.len || one.len > SCOPE_TEXT_MAX ||
            (i > 0 && span_cmp(last, span_take(rows, one.len)) >= 0)) {
            free(set);
            return NULL;
        }
        last = span_take(rows, one.len);
        set_add(set, &room, last, one.salt);
        rows = span_skip(rows, one.len);
    }
    if (rows.len > 0) {
        free(set);
        return NULL;
    }
    return set;
}

static bool has_row(const struct scope_set *set, const struct scope *row)
{
    size_t count = count_up_to(set, row->text);

    return count > 0 && set->at[count - 1].salt == row->salt &&
           span_eq(set->at[count - 1].text, row->text);
}

/* A copy of `set`, with new salts for scopes that `old` does not have. */
static struct scope_set *set_renewed(const struct scope_set *set, const struct scope_set *old)
{
    size_t bytes = 0;
    char *room;

    for (size_t i = 0; i < set->count; i++) {
        bytes += set->at[i].text.len;
    }
    struct scope_set *renewed = set_new(set->count, bytes, set->serial + 1, &room);
    for (size_t i = 0; i < set->count; i++) {
        const struct scope *row = &set->at[i];
        set_add(renewed, &room, row->text, has_row(old, row) ? row->salt : random_salt());
    }
    return renewed;
}

void scopes_renew(struct scopes *scopes, struct span before)
{
    struct scopes_head head;

    CHECK(before.len >= sizeof(head));
    memcpy(&head, before.at, sizeof(head));
    struct scope_set *old = decode_rows(&head, span_skip(before, sizeof(head)));
    CHECK(old);
    pthread_mutex_lock(&scopes->lock);
    const struct scope_set *now = atomic_load(&scopes->set);
    if (now && now->serial != old->serial) {
        replace(scopes, set_renewed(now, old));
    }
    pthread_mutex_unlock(&scopes->lock);
    free(old);
}

/* Does a row that `older` does not have cover the text? */
static bool purged_since(const struct scope_set *newer, const struct scope_set *older,
                         struct span text)
{
    for (int i = (int)count_up_to(newer, text) - 1; i != NONE; i = newer->at[i].parent) {
        if (span_starts(text, newer->at[i].text) && !has_row(older, &newer->at[i])) {
            return true;
        }
    }
    return false;
}

/* Can the newer set have come from the older one by purges alone? Then each scope of the older one
 * is still there or was replaced by a wider one. Sets with the same serial are equal, as each purge
 * adds a random salt. */
static bool follows(const struct scope_set *newer, const struct scope_set *older)
{
    bool equal = newer->serial == older->serial;

    for (size_t i = 0; i < older->count; i++) {
        const struct scope *row = &older->at[i];
        if (!has_row(newer, row) && (equal || !purged_since(newer, older, row->text))) {
            return false;
        }
    }
    return !equal || newer->count == older->count;
}

static struct scope_set *set_of_all(uint64_t serial)
{
    char *room;
    struct scope_set *set = set_new(1, 0, serial, &room);

    set_add(set, &room, SPAN_EMPTY, random_salt());
    return set;
}

/* Under the lock. Frees what remains of `set`. */
static bool take(struct scopes *scopes, struct scope_set *set)
{
    const struct scope_set *now = atomic_load(&scopes->set);
    bool newer = now == NULL || now->serial < set->serial;
    bool agree = now == NULL || (newer ? follows(set, now) : follows(now, set));
    uint64_t latest = newer ? set->serial : now->serial;

    if (agree && newer) {
        replace(scopes, set);
        return true;
    }
    free(set);
    if (!agree) {
        replace(scopes, set_of_all(latest + 1));
    }
    return agree;
}

int scopes_decode(struct scopes *scopes, struct span bytes, bool *agree)
{
    struct scopes_head head;

    *agree = true;
    if (bytes.len < sizeof(head)) {
        return ERR_CORRUPT;
    }
    memcpy(&head, bytes.at, sizeof(head));
    if (head.sum != sum_of(bytes) || head.format != SCOPES_FORMAT || head.count == 0 ||
        head.count > SCOPES_MAX || head.serial == 0 || head.serial == UINT64_MAX) {
        return ERR_CORRUPT;
    }
    struct scope_set *set = decode_rows(&head, span_skip(bytes, sizeof(head)));
    if (set == NULL) {
        return ERR_CORRUPT;
    }
    pthread_mutex_lock(&scopes->lock);
    *agree = take(scopes, set);
    pthread_mutex_unlock(&scopes->lock);
    return 0;
}
