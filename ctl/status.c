/* status - `larderctl status`: the state of the proxy on one screen. */
#include "ctl/ask.h"
#include "ctl/show.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* ---- the table ---- */

static void show_head(const json_t *root, struct buf *out)
{
    show_string(out, root, "program");
    buf_printf(out, " ");
    show_string(out, root, "version");
    buf_printf(out, ", ");
    show_string(out, root, "state");
    buf_printf(out, ", up ");
    show_duration(out, show_number(root, "uptime_seconds"));
    buf_printf(out, ", workers: %" PRIu64 "\n", show_number(root, "workers"));
    show_label(out, "name");
    show_string(out, root, "name");
    buf_printf(out, "\n");
}

static void show_listen(const json_t *root, struct buf *out)
{
    const json_t *list = json_object_get(root, "listen");

    show_label(out, "listens");
    for (size_t i = 0; i < json_array_size(list); i++) {
        buf_printf(out, "%s", i ? ", " : "");
        show_text(out, json_string_value(json_array_get(list, i)));
    }
    buf_printf(out, "\n");
}

static void show_connections(const json_t *connections, struct buf *out)
{
    show_label(out, "clients");
    show_count(out, show_number(connections, "open"));
    buf_printf(out, " connected, ");
    show_count(out, show_number(connections, "accepted"));
    buf_printf(out, " in all, ");
    show_count(out, show_number(connections, "refused"));
    buf_printf(out, " refused, ");
    show_count(out, show_number(connections, "tunnels"));
    buf_printf(out, " tunnels\n");
}

static void show_words(json_t *words, uint64_t total, struct buf *out)
{
    enum { WIDTH = 32 }; /* width of a word with its count */
    const char *word;
    json_t *value;

    json_object_foreach(words, word, value)
    {
        struct buf count = BUF_INIT;
        uint64_t n = (uint64_t)json_integer_value(value);
        int room = strlen(word) < WIDTH ? WIDTH - (int)strlen(word) : 0;

        show_count(&count, n);
        buf_printf(out, "  ");
        show_text(out, word);
        buf_printf(out, "%*.*s  ", room, SPAN_ARGS(buf_span(&count)));
        show_percent(out, n, total);
        buf_printf(out, "\n");
        buf_fini(&count);
    }
}

static void show_requests(const json_t *requests, struct buf *out)
{
    uint64_t total = show_number(requests, "total");

    show_label(out, "requests");
    show_count(out, total);
    buf_printf(out, ", from the cache ");
    show_percent(out, show_number(requests, "hits"), total);
    buf_printf(out, "\n");
    show_words(json_object_get(requests, "by_outcome"), total, out);
}

static void show_bytes(const json_t *bytes, struct buf *out)
{
    uint64_t sent = show_number(bytes, "sent_to_clients");

    show_label(out, "bytes");
    show_size(out, sent);
    buf_printf(out, " to clients, ");
    show_percent(out, show_number(bytes, "sent_from_cache"), sent);
    buf_printf(out, " from the cache; ");
    show_size(out, show_number(bytes, "received_from_origins"));
    buf_printf(out, " from origins\n");
}

static void put_milliseconds(struct buf *out, const json_t *object, const char *name)
{
    buf_printf(out, "%g ms", (double)show_number(object, name) / 1000);
}

static void show_latency(const json_t *latency, struct buf *out)
{
    static const char *const kinds[] = {"hits", "misses"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *kind = json_object_get(latency, kinds[i]);
        show_label(out, i ? "" : "latency");
        buf_printf(out, "%s: ", kinds[i]);
        if (show_number(kind, "p99") == 0) { /* no request was counted */
            buf_printf(out, "none yet\n");
            continue;
        }
        buf_printf(out, "half below ");
        put_milliseconds(out, kind, "p50");
        buf_printf(out, ", 99 %% below ");
        put_milliseconds(out, kind, "p99");
        buf_printf(out, "\n");
    }
}

/* Shows from where stored responses were served, and how long those that were only on disk had to
 * wait. */
static void show_served(const json_t *root, struct buf *out)
{
    const json_t *served = json_object_get(json_object_get(root, "requests"), "by_served_from");
    const json_t *waits = json_object_get(json_object_get(root, "latency_us"), "disk_waits");
    uint64_t cold = show_number(served, "cold");

    if (!json_is_object(served)) {
        return; /* the proxy is of an older version */
    }
    show_label(out, "stored");
    show_count(out, show_number(served, "memory"));
    buf_printf(out, " served from memory, ");
    show_count(out, show_number(served, "disk"));
    buf_printf(out, " from the mapped store, ");
    show_count(out, cold);
    buf_printf(out, " from disk\n");
    if (cold) {
        show_label(out, "");
        buf_printf(out, "waits for the disk: half below ");
        put_milliseconds(out, waits, "p50");
        buf_printf(out, ", 99 %% below ");
        put_milliseconds(out, waits, "p99");
        buf_printf(out, "\n");
    }
}

static void show_memory(const json_t *memory, struct buf *out)
{
    show_label(out, "memory");
    show_size(out, show_number(memory, "used"));
    buf_printf(out, " of ");
    show_size(out, show_number(memory, "limit"));
    buf_printf(out, "; ");
    show_count(out, show_number(memory, "hot_entries"));
    buf_printf(out, " hot objects, ");
    show_size(out, show_number(memory, "hot"));
    buf_printf(out, "\n");
}

/* Shows the directories if there are several, or if one fails. */
static void show_directories(const json_t *list, struct buf *out)
{
    size_t i;
    json_t *row;

    json_array_foreach(list, i, row)
    {
        const char *state = json_string_value(json_object_get(row, "state"));
        bool is_in = state == NULL || strcmp(state, "in") == 0;
        if (json_array_size(list) > 1) {
            buf_printf(out, "  ");
            show_string(out, row, "path");
            buf_printf(out, ": ");
            show_size(out, show_number(row, "used"));
            buf_printf(out, " of ");
            show_size(out, show_number(row, "size"));
            buf_printf(out, "\n");
        }
        if (!is_in) {
            buf_printf(out, "! ");
            show_string(out, row, "path");
            buf_printf(out, " is ");
            show_string(out, row, "state");
            buf_printf(out, json_object_get(row, "cause") ? ": " : "");
            show_string(out, row, "cause");
            buf_printf(out, "\n");
        }
    }
}

static void show_store(const json_t *store, struct buf *out)
{
    const json_t *directories = json_object_get(store, "directories");

    show_label(out, "store");
    if (!json_is_object(store)) {
        buf_printf(out, "none, memory only\n");
        return;
    }
    show_size(out, show_number(store, "used"));
    buf_printf(out, " of ");
    show_size(out, show_number(store, "size"));
    buf_printf(out, ", ");
    show_count(out, show_number(store, "objects"));
    buf_printf(out, " objects, in ");
    if (json_array_size(directories) > 1) {
        buf_printf(out, "%zu directories\n", json_array_size(directories));
    } else {
        show_string(out, store, "path");
        buf_printf(out, "\n");
    }
    show_directories(directories, out);
    if (show_number(store, "commit_errors")) {
        buf_printf(out, "! failed writes to the store: %" PRIu64 "; see the log\n",
                   show_number(store, "commit_errors"));
    }
    if (show_number(store, "corrupt")) {
        buf_printf(out, "! stored objects dropped because of a wrong checksum: %" PRIu64 "\n",
                   show_number(store, "corrupt"));
    }
}

static void show_mirrors(const json_t *list, struct buf *out)
{
    size_t i;
    json_t *row;

    json_array_foreach(list, i, row)
    {
        uint64_t requests = show_number(row, "requests");
        show_label(out, i ? "" : "mirrors");
        show_string(out, row, "path");
        if (requests == 0) {
            buf_printf(out, ": no requests yet\n");
            continue;
        }
        buf_printf(out, ": ");
        show_count(out, requests);
        buf_printf(out, " requests, ");
        show_percent(out, show_number(row, "hits"), requests);
        buf_printf(out, " from the cache\n");
        show_label(out, "");
        show_size(out, show_number(row, "bytes"));
        buf_printf(out, " to clients, ");
        show_size(out, show_number(row, "hit_bytes"));
        buf_printf(out, " of them saved\n");
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
    show_sandbox(json_object_get(root, "sandbox"), out);
    show_refusal(root, out);
    show_connections(json_object_get(root, "connections"), out);
    show_requests(json_object_get(root, "requests"), out);
    show_bytes(json_object_get(root, "bytes"), out);
    show_latency(json_object_get(root, "latency_us"), out);
    show_served(root, out);
    show_mirrors(json_object_get(root, "mirrors"), out);
    show_memory(json_object_get(root, "memory"), out);
    show_store(json_object_get(root, "store"), out);
    json_decref(root);
    return 0;
}

int verb_status(const struct ctl_options *options)
{
    const struct question question = {
        .path = "/status", .render = status_render, .who = "not larder-proxy"};

    return ask(options, &question);
}
