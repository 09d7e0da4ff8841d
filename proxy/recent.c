#include "proxy/recent.h"

#include "base/check.h"

/* ---- making an entry ---- */

static struct span keep(char *at, struct span text, size_t max)
{
    struct span kept = span_take(text, max);

    if (kept.len) {
        memcpy(at, kept.at, kept.len);
    }
    return kept;
}

static void set_uri(struct recent_entry *entry, const struct uri *uri)
{
    struct span host = keep(entry->text, uri->host, RECENT_TEXT);
    struct span path = keep(entry->text + host.len, uri->path, RECENT_TEXT - host.len);

    entry->host_len = (uint16_t)host.len;
    entry->path_len = (uint16_t)path.len;
    entry->cut = host.len < uri->host.len || path.len < uri->path.len;
    entry->port = uri->port;
    entry->https = uri->https;
    entry->is_ipv6 = uri->is_ipv6;
}

static size_t text_len(const struct recent_entry *entry)
{
    return (size_t)entry->host_len + entry->path_len + entry->user_len + entry->mirror_len;
}

/* Appends text if all of it fits; otherwise returns 0. */
static uint8_t append(struct recent_entry *entry, struct span text, size_t max)
{
    size_t used = text_len(entry);

    if (text.len > max || text.len > RECENT_TEXT - used) {
        return 0;
    }
    return (uint8_t)keep(entry->text + used, text, max).len;
}

static void set_asker(struct recent_entry *entry, const struct recent_request *request)
{
    size_t room = request->mirror.len < RECENT_TEXT ? RECENT_TEXT - request->mirror.len : 0;

    if (text_len(entry) + request->user.len <= room) {
        entry->user_len = append(entry, request->user, RECENT_USER);
    }
    entry->mirror_len = append(entry, request->mirror, UINT8_MAX);
    entry->cut |= entry->mirror_len < request->mirror.len;
}

static void set_method(struct recent_entry *entry, const struct http_head *request)
{
    struct span text = request->method_text;

    if (text.len == 0 && request->method != METHOD_OTHER) {
        text = http_method_text(request->method);
    }
    entry->method = request->method;
    entry->method_len = (uint8_t)keep(entry->method_text, text, RECENT_METHOD).len;
}

/* ---- the ring ---- */

/* Writes an entry, with `len` bytes of text, into its slot. Version 2n means entry number n (from
 * 1); it is one less while the entry is written. Each word is stored with release order after the
 * odd version, so a reader that sees a new word also sees the changed version. */
static void publish(struct recent_slot *slot, uint64_t number, const struct recent_entry *entry,
                    size_t len)
{
    size_t used = offsetof(struct recent_entry, text) + len;
    const char *from = (const char *)entry;

    atomic_store_explicit(&slot->version, 2 * number - 1, memory_order_relaxed);
    for (size_t i = 0; i * 8 < used; i++) {
        uint64_t word;
        memcpy(&word, from + i * 8, sizeof(word));
        atomic_store_explicit(&slot->words[i], word, memory_order_release);
    }
    atomic_store_explicit(&slot->version, 2 * number, memory_order_release);
}

void recent_add(struct recent *ring, const struct recent_request *request)
{
    struct recent_entry entry;
    uint64_t number = atomic_load_explicit(&ring->count, memory_order_relaxed) + 1;

    memset(&entry, 0, offsetof(struct recent_entry, text));
    entry.when_ms = request->when_ms;
    entry.elapsed_us = request->elapsed_us;
    entry.bytes = request->bytes;
    entry.decision = *request->decision;
    entry.status = request->status;
    if (request->client) {
        entry.has_client = true;
        entry.client = *request->client;
    }
    if (request->request) {
        set_method(&entry, request->request);
    }
    if (request->uri) {
        set_uri(&entry, request->uri);
    }
    if (request->user.len | request->mirror.len) {
        set_asker(&entry, request);
    }
    size_t len = text_len(&entry);
    /* words are copied as a whole, so the rest of the last one is cleared */
    memset(entry.text + len, 0, 8);
    publish(&ring->slots[(number - 1) % RECENT_COUNT], number, &entry, len);
    atomic_store_explicit(&ring->count, number, memory_order_release);
}

bool recent_read(struct recent *ring, size_t ago, struct recent_entry *out)
{
    uint64_t count = atomic_load_explicit(&ring->count, memory_order_acquire);
    uint64_t words[RECENT_WORDS];

    if (ago >= count || ago >= RECENT_COUNT) {
        return false;
    }
    uint64_t number = count - ago;
    struct recent_slot *slot = &ring->slots[(number - 1) % RECENT_COUNT];
    if (atomic_load_explicit(&slot->version, memory_order_acquire) != 2 * number) {
        return false;
    }
    for (size_t i = 0; i < RECENT_WORDS; i++) {
        words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
    }
    if (atomic_load_explicit(&slot->version, memory_order_relaxed) != 2 * number) {
        return false;
    }
    memcpy(out, words, sizeof(*out));
    CHECK(text_len(out) <= RECENT_TEXT);
    return true;
}

/* ---- reading an entry ---- */

struct uri recent_uri(const struct recent_entry *entry)
{
    return (struct uri){
        .https = entry->https,
        .is_ipv6 = entry->is_ipv6,
        .port = entry->port,
        .host = span_of(entry->text, entry->host_len),
        .path = span_of(entry->text + entry->host_len, entry->path_len),
    };
}

struct span recent_method(const struct recent_entry *entry)
{
    return span_of(entry->method_text, entry->method_len);
}

struct span recent_user(const struct recent_entry *entry)
{
    return span_of(entry->text + entry->host_len + entry->path_len, entry->user_len);
}

struct span recent_mirror(const struct recent_entry *entry)
{
    return span_of(recent_user(entry).at + entry->user_len, entry->mirror_len);
}

bool recent_is(const struct recent_entry *entry, const struct uri *uri, struct span mirror)
{
    struct uri own = recent_uri(entry);

    return !entry->cut && uri_same_origin(&own, uri) && span_eq(own.path, uri->path) &&
           span_eq(recent_mirror(entry), mirror);
}
