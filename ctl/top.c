#include "ctl/top.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "ctl/show.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 16384, KEYS_MAX = SLOTS / 2, KEY_SHOWN = 512 };

/* Weights that decay with time. */
struct weights {
    double count, hits, bytes, us;
    double at; /* when the weights were last brought up to date */
};

struct entry {
    char *key; /* NULL: the slot is free */
    struct weights weights;
};

struct top {
    enum top_by by;
    double half_life;
    struct entry *slots; /* open addressing */
    size_t count;
    struct weights all;
    uint64_t requests, dropped;
};

static const char *const words[] = {
#define X(id, word, key) word,
    TOP_BY(X)
#undef X
};
static const char keys[] = {
#define X(id, word, key) key,
    TOP_BY(X)
#undef X
};

bool top_by_word(const char *word, enum top_by *out)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (enum top_by)i;
            return true;
        }
    }
    return false;
}

bool top_by_key(char key, enum top_by *out)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i] == key) {
            *out = (enum top_by)i;
            return true;
        }
    }
    return false;
}

void top_keys(size_t width, struct buf *out)
{
    size_t used = strlen("[q]uit"); /* first: who does not know how to leave looks for it */

    if (used > width) {
        return;
    }
    buf_printf(out, "[q]uit");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        CHECK(words[i][0] == keys[i]);
        used += strlen(words[i]) + strlen(" []");
        if (used > width) {
            return;
        }
        buf_printf(out, " [%c]%s", keys[i], words[i] + 1);
    }
}

/* ---- life ---- */

struct top *top_new(enum top_by by, double half_life)
{
    struct top *top = xcalloc(1, sizeof(*top));

    top->by = by;
    top->half_life = half_life;
    top->slots = xcalloc(SLOTS, sizeof(*top->slots));
    return top;
}

static void forget(struct top *top)
{
    for (size_t i = 0; i < SLOTS; i++) {
        free(top->slots[i].key);
    }
    memset(top->slots, 0, SLOTS * sizeof(*top->slots));
    top->count = 0;
    top->all = (struct weights){0};
    top->requests = 0;
    top->dropped = 0;
}

void top_by(struct top *top, enum top_by by)
{
    forget(top);
    top->by = by;
}

void top_free(struct top **top)
{
    if (*top) {
        forget(*top);
        free((*top)->slots);
        free(*top);
        *top = NULL;
    }
}

/* ---- counting ---- */

static void fade(const struct top *top, struct weights *weights, double now)
{
    double factor = top->half_life > 0 ? exp2((weights->at - now) / top->half_life) : 1;

    weights->count *= factor;
    weights->hits *= factor;
    weights->bytes *= factor;
    weights->us *= factor;
    weights->at = now;
}

static size_t slot_of(const struct top *top, const char *key)
{
    uint64_t hash = 14695981039346656037u;

    for (const char *c = key; *c; c++) {
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    }
    size_t at = hash % SLOTS;
    while (top->slots[at].key && strcmp(top->slots[at].key, key) != 0) {
        at = (at + 1) % SLOTS;
    }
    return at;
}

static int by_weight(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    double x = a->weights.count, y = b->weights.count;

    return x != y ? (x < y) - (x > y) : strcmp(a->key, b->key);
}

/* All entries, the heaviest first, in an array of top->count. */
static struct entry *sorted(struct top *top, double now)
{
    struct entry *list = xcalloc(top->count + 1, sizeof(*list));
    size_t n = 0;

    for (size_t i = 0; i < SLOTS; i++) {
        if (top->slots[i].key) {
            fade(top, &top->slots[i].weights, now);
            list[n++] = top->slots[i];
        }
    }
    qsort(list, n, sizeof(*list), by_weight);
    return list;
}

/* Clients can choose any number of keys, so the lighter half is dropped when the table is full. */
static void make_room(struct top *top, double now)
{
    struct entry *list = sorted(top, now);
    size_t count = top->count;

    memset(top->slots, 0, SLOTS * sizeof(*top->slots));
    top->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i < KEYS_MAX / 2) {
            top->slots[slot_of(top, list[i].key)] = list[i];
            top->count++;
        } else {
            free(list[i].key);
        }
    }
    free(list);
}

static void weigh(struct weights *weights, const json_t *line, bool hit)
{
    weights->count += 1;
    weights->hits += hit;
    weights->bytes += (double)show_number(line, "bytes");
    weights->us += (double)show_number(line, "elapsed_us");
}

/* "http://HOST:PORT/..." or "HOST:443". */
static struct span host_of(struct span url)
{
    size_t scheme = span_find(url, ':');

    if (span_starts(span_skip(url, scheme), SPAN("://"))) {
        url = span_skip(url, scheme + 3);
    }
    return span_take(url, span_find(url, '/'));
}

static struct span member(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));
    return text ? span_str(text) : SPAN("-");
}

static void put_key(const struct top *top, const json_t *line, struct buf *out)
{
    switch (top->by) {
    case TOP_HOST:
        buf_append(out, span_take(host_of(member(line, "url")), KEY_SHOWN));
        break;
    case TOP_URL:
        buf_append(out, span_take(member(line, "url"), KEY_SHOWN));
        break;
    case TOP_STATUS:
        buf_printf(out, "%llu", (unsigned long long)show_number(line, "status"));
        break;
    case TOP_TYPE:
        buf_append(out, member(line, "content_type"));
        break;
    case TOP_CLIENT:
    case TOP_OUTCOME:
    case TOP_REASON:
    case TOP_METHOD:
        buf_append(out, member(line, words[top->by]));
        break;
    case TOP_BY_COUNT:
        UNREACHABLE();
    }
    buf_append(out, SPAN("\0"));
}

static bool is_hit(const json_t *line)
{
    static const struct span hits[] = {SPAN_INIT("hit"), SPAN_INIT("hit-memory"),
                                       SPAN_INIT("stale")};
    struct span outcome = member(line, "outcome");

    for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
        if (span_eq(outcome, hits[i])) {
            return true;
        }
    }
    return false;
}

static void count(struct top *top, const json_t *line, double now)
{
    struct buf key = BUF_INIT;

    put_key(top, line, &key);
    if (top->count == KEYS_MAX) {
        make_room(top, now);
    }
    struct entry *entry = &top->slots[slot_of(top, key.data)];
    if (!entry->key) {
        entry->key = xstrndup(key.data, strlen(key.data));
        entry->weights = (struct weights){.at = now};
        top->count++;
    }
    fade(top, &entry->weights, now);
    weigh(&entry->weights, line, is_hit(line));
    fade(top, &top->all, now);
    weigh(&top->all, line, is_hit(line));
    top->requests++;
    buf_fini(&key);
}

int top_add(struct top *top, struct span json, double now)
{
    json_t *line = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    uint64_t dropped = show_number(line, "dropped");
    int err = 0;

    if (dropped) {
        top->dropped += dropped;
        err = ERR_AGAIN;
    } else if (!json_object_get(line, "outcome")) {
        err = ERR_SYNTAX;
    } else {
        count(top, line, now);
    }
    json_decref(line);
    return err;
}

/* ---- the table ---- */

/* The weight of a steady rate of one event per second since counting began. */
static double seconds_seen(const struct top *top, double since, double now)
{
    double seconds = now - since > 0.001 ? now - since : 0.001;

    if (top->half_life <= 0) {
        return seconds;
    }
    double scale = top->half_life / 0.6931471805599453;
    return scale * (1 - exp(-seconds / scale));
}

/* Writes at most `width` bytes of the text as one line. Control bytes become '?'. */
static void put_row(struct buf *out, size_t width, struct span text)
{
    text = span_take(text, width);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        buf_printf(out, "%c", c < 0x20 || c == 0x7f ? '?' : c);
    }
    buf_printf(out, "\n");
}

enum {
    NARROW = 72
}; /* columns; on a narrower screen the counted value gets the room of some numbers */

static void put_numbers(struct buf *row, const struct weights *weights, double seconds,
                        size_t width)
{
    struct buf rate = BUF_INIT;
    double count = weights->count > 0 ? weights->count : 1;

    if (width < NARROW) {
        buf_printf(row, "%8.1f %4.0f %%  ", weights->count / seconds, 100 * weights->hits / count);
        return;
    }
    show_size(&rate, (uint64_t)(weights->bytes / seconds));
    double mean = weights->us / count; /* of hits it is some tens of microseconds */
    buf_printf(row, "%10.1f %11.*s %5.0f %% %9.*f %s  ", weights->count / seconds,
               SPAN_ARGS(buf_span(&rate)), 100 * weights->hits / count, mean < 1000 ? 0 : 1,
               mean < 1000 ? mean : mean / 1000, mean < 1000 ? "us" : "ms");
    buf_fini(&rate);
}

static void put_title(const struct top *top, double seconds, size_t width, bool plain,
                      struct buf *out)
{
    struct buf row = BUF_INIT;

    put_numbers(&row, &top->all, seconds, width);
    buf_printf(&row, "all of %llu", (unsigned long long)top->requests);
    if (top->dropped) {
        buf_printf(&row, ", %llu not counted", (unsigned long long)top->dropped);
    }
    put_row(out, width, buf_span(&row));
    buf_clear(&row);
    if (width < NARROW) {
        buf_printf(&row, "%8s %6s  %s", "each s", "hits", words[top->by]);
    } else {
        buf_printf(&row, "%10s %13s %5s %12s  %s", "requests/s", "bytes/s", "hits", "mean time",
                   words[top->by]);
    }
    buf_printf(out, "%s", plain ? "" : "\x1b[7m");
    put_row(out, width, buf_span(&row));
    if (!plain) {
        out->end--; /* removes the last line end, as each row needs only one line */
        buf_printf(out, "\x1b[0m\n");
    }
    buf_fini(&row);
}

void top_frame(struct top *top, double since, double now, size_t width, size_t height, bool plain,
               struct buf *out)
{
    struct entry *list = sorted(top, now);
    double seconds = seconds_seen(top, since, now);
    struct buf row = BUF_INIT;

    fade(top, &top->all, now);
    put_title(top, seconds, width, plain, out);
    for (size_t i = 0; i < top->count && i + 2 < height; i++) {
        buf_clear(&row);
        put_numbers(&row, &list[i].weights, seconds, width);
        buf_printf(&row, "%s", list[i].key);
        put_row(out, width, buf_span(&row));
    }
    buf_fini(&row);
    free(list);
}
