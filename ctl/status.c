#include "ctl/fetch.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* ---- numbers for people ---- */

static uint64_t number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

/* 1234567 → "1,234,567". */
static void put_count(struct buf *out, uint64_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, value);

    for (int i = 0; i < len; i++) {
        buf_printf(out, "%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
    }
}

static void put_size(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double value = (double)bytes;

    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    buf_printf(out, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void put_duration(struct buf *out, uint64_t seconds)
{
    if (seconds >= 2 * 86400) {
        buf_printf(out, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400, seconds % 86400 / 3600);
    } else if (seconds >= 3600) {
        buf_printf(out, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds % 3600 / 60);
    } else if (seconds >= 60) {
        buf_printf(out, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
    } else {
        buf_printf(out, "%" PRIu64 " s", seconds);
    }
}

static void put_percent(struct buf *out, uint64_t part, uint64_t whole)
{
    buf_printf(out, "%.1f %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
}

/* What is shown comes from a network: nothing in it may steer the terminal. */
static void put_text(struct buf *out, const char *text)
{
    for (; text && *text; text++) {
        bool control = (unsigned char)*text < 0x20 || *text == 0x7f;
        buf_printf(out, "%c", control ? '?' : *text);
    }
}

static void put_string(struct buf *out, const json_t *object, const char *name)
{
    put_text(out, json_string_value(json_object_get(object, name)));
}

/* ---- the table ---- */

static void put_label(struct buf *out, const char *label)
{
    buf_printf(out, "%-12s", label);
}

static void show_head(const json_t *root, struct buf *out)
{
    put_string(out, root, "program");
    buf_printf(out, " ");
    put_string(out, root, "version");
    buf_printf(out, ", ");
    put_string(out, root, "state");
    buf_printf(out, ", up ");
    put_duration(out, number(root, "uptime_seconds"));
    buf_printf(out, ", workers: %" PRIu64 "\n", number(root, "workers"));
    put_label(out, "name");
    put_string(out, root, "name");
    buf_printf(out, "\n");
}

static void show_listen(const json_t *root, struct buf *out)
{
    const json_t *list = json_object_get(root, "listen");

    put_label(out, "listens");
    for (size_t i = 0; i < json_array_size(list); i++) {
        buf_printf(out, "%s", i ? ", " : "");
        put_text(out, json_string_value(json_array_get(list, i)));
    }
    buf_printf(out, "\n");
}

static void show_connections(const json_t *connections, struct buf *out)
{
    put_label(out, "clients");
    put_count(out, number(connections, "open"));
    buf_printf(out, " connected, ");
    put_count(out, number(connections, "accepted"));
    buf_printf(out, " in all, ");
    put_count(out, number(connections, "refused"));
    buf_printf(out, " refused, ");
    put_count(out, number(connections, "tunnels"));
    buf_printf(out, " tunnels\n");
}

static void show_words(json_t *words, uint64_t total, struct buf *out)
{
    enum { WIDTH = 32 }; /* of word and count */
    const char *word;
    json_t *value;

    json_object_foreach(words, word, value)
    {
        struct buf count = BUF_INIT;
        uint64_t n = (uint64_t)json_integer_value(value);
        int room = strlen(word) < WIDTH ? WIDTH - (int)strlen(word) : 0;

        put_count(&count, n);
        buf_printf(out, "  ");
        put_text(out, word);
        buf_printf(out, "%*.*s  ", room, SPAN_ARGS(buf_span(&count)));
        put_percent(out, n, total);
        buf_printf(out, "\n");
        buf_fini(&count);
    }
}

static void show_requests(const json_t *requests, struct buf *out)
{
    uint64_t total = number(requests, "total");

    put_label(out, "requests");
    put_count(out, total);
    buf_printf(out, ", from the cache ");
    put_percent(out, number(requests, "hits"), total);
    buf_printf(out, "\n");
    show_words(json_object_get(requests, "by_outcome"), total, out);
}

static void show_bytes(const json_t *bytes, struct buf *out)
{
    uint64_t sent = number(bytes, "sent_to_clients");

    put_label(out, "bytes");
    put_size(out, sent);
    buf_printf(out, " to clients, ");
    put_percent(out, number(bytes, "sent_from_cache"), sent);
    buf_printf(out, " from the cache; ");
    put_size(out, number(bytes, "received_from_origins"));
    buf_printf(out, " from origins\n");
}

static void put_milliseconds(struct buf *out, const json_t *object, const char *name)
{
    buf_printf(out, "%g ms", (double)number(object, name) / 1000);
}

static void show_latency(const json_t *latency, struct buf *out)
{
    static const char *const kinds[] = {"hits", "misses"};

    put_label(out, "latency");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *kind = json_object_get(latency, kinds[i]);
        buf_printf(out, "%s%s: half below ", i ? "; " : "", kinds[i]);
        put_milliseconds(out, kind, "p50");
        buf_printf(out, ", 99 %% below ");
        put_milliseconds(out, kind, "p99");
    }
    buf_printf(out, "\n");
}

static void show_memory(const json_t *memory, struct buf *out)
{
    put_label(out, "memory");
    put_size(out, number(memory, "bodies"));
    buf_printf(out, " of ");
    put_size(out, number(memory, "limit"));
    buf_printf(out, "; ");
    put_count(out, number(memory, "hot_entries"));
    buf_printf(out, " hot objects\n");
}

static void show_store(const json_t *store, struct buf *out)
{
    put_label(out, "store");
    if (!json_is_object(store)) {
        buf_printf(out, "none, memory only\n");
        return;
    }
    put_size(out, number(store, "used"));
    buf_printf(out, " of ");
    put_size(out, number(store, "size"));
    buf_printf(out, ", ");
    put_count(out, number(store, "objects"));
    buf_printf(out, " objects, in ");
    put_string(out, store, "path");
    buf_printf(out, "\n");
    if (number(store, "commit_errors")) {
        buf_printf(out, "! failed writes to the store: %" PRIu64 "; see the log\n",
                   number(store, "commit_errors"));
    }
    if (number(store, "corrupt")) {
        buf_printf(out, "! stored objects dropped because of a wrong checksum: %" PRIu64 "\n",
                   number(store, "corrupt"));
    }
}

int status_render(struct span json, struct buf *out)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);

    if (!json_is_object(root) || !json_object_get(root, "program")) {
        json_decref(root);
        return ERR_SYNTAX;
    }
    show_head(root, out);
    show_listen(root, out);
    show_connections(json_object_get(root, "connections"), out);
    show_requests(json_object_get(root, "requests"), out);
    show_bytes(json_object_get(root, "bytes"), out);
    show_latency(json_object_get(root, "latency_us"), out);
    show_memory(json_object_get(root, "memory"), out);
    show_store(json_object_get(root, "store"), out);
    json_decref(root);
    return 0;
}

int verb_status(const struct ctl_options *options)
{
    const char *admin = options->admin ? options->admin : FETCH_DEFAULT_ADMIN;
    struct buf body = BUF_INIT, text = BUF_INIT;

    int err = fetch(admin, "/status", &body, &text);
    if (!err) {
        err = status_render(buf_span(&body), &text);
        if (err) {
            buf_printf(&text, "what answers on %s is not larder-proxy", admin);
        }
    }
    if (err) {
        fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(&text)));
    } else {
        struct span shown = buf_span(options->json ? &body : &text);
        fwrite(shown.at, 1, shown.len, stdout);
    }
    buf_fini(&body);
    buf_fini(&text);
    return err ? CTL_BAD : CTL_GOOD;
}
