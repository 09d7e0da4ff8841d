/* dns - `larderctl dns`, `drain` and `undrain`: the replicas, and which of them get no new
 * clients. */
#include "base/err.h"
#include "ctl/ask.h"
#include "ctl/fetch.h"
#include "ctl/show.h"
#include "ctl/verbs.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum { REMARK = 4 }; /* columns that remarks about a replica are indented by */

static double real(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void pad(struct buf *out, size_t from, size_t width)
{
    size_t used = buf_len(out) - from;
    buf_printf(out, "%*s", used < width ? (int)(width - used) : 1, "");
}

static void show_replica_load(const json_t *row, size_t from, struct buf *out)
{
    const json_t *load = json_object_get(row, "load");

    if (json_is_object(load)) {
        pad(out, from, 52);
        buf_printf(out, "%.0f req/s, ", real(load, "requests_per_second"));
        show_size(out, (uint64_t)real(load, "bytes_per_second"));
        buf_printf(out, "/s");
    }
    buf_printf(out, "\n");
}

/* Shows whether the replica has too many clients for its weight, and why it is not up. */
static void show_remarks(const json_t *row, struct buf *out)
{
    double share = 100 * real(row, "of_fair_share");

    if (json_object_get(row, "fair_share")) {
        buf_printf(out, "%*sat %.0f %% of its share", REMARK, "", share);
        if (real(row, "keeps") < 1) {
            buf_printf(out, ": keeps %.0f %% of its clients", 100 * real(row, "keeps"));
        } else if (real(row, "takes") < 1) {
            buf_printf(out, ": takes %.0f %% of what others spill", 100 * real(row, "takes"));
        }
        buf_printf(out, "\n");
    }
    if (json_is_true(json_object_get(json_object_get(row, "load"), "overload"))) {
        buf_printf(out, "%*ssays it is overloaded\n", REMARK, "");
    }
    if (json_is_string(json_object_get(row, "reason"))) {
        buf_printf(out, "%*s", REMARK, "");
        show_string(out, row, "reason");
        buf_printf(out, "\n");
    }
}

static void show_replica(const json_t *row, uint64_t answers, struct buf *out)
{
    size_t from = buf_len(out);

    buf_printf(out, "  ");
    show_string(out, row, "name");
    pad(out, from, 16);
    show_string(out, row, "state");
    pad(out, from, 28);
    show_percent(out, show_number(row, "answers"), answers);
    pad(out, from, 38);
    if (json_object_get(row, "since_seconds")) {
        show_duration(out, show_number(row, "since_seconds"));
    }
    show_replica_load(row, from, out);
    show_remarks(row, out);
}

/* Shows for how many clients the nearest replica was measured. */
static void show_measured(const json_t *measured, uint64_t steered, struct buf *out)
{
    show_label(out, "measured");
    show_count(out, show_number(measured, "networks"));
    buf_printf(out, " networks, ");
    show_count(out, show_number(measured, "mapped"));
    buf_printf(out, " of them in the map (");
    show_count(out, show_number(measured, "moved"));
    buf_printf(out, " moved)\n");
    show_label(out, "");
    show_percent(out, show_number(measured, "answers"), steered);
    buf_printf(out, " of answers follow it, ");
    show_percent(out, show_number(measured, "explored"), steered);
    buf_printf(out, " are given to measure more\n");
}

/* Lists the records set by dynamic update; nothing if updates are not configured. */
static void show_dynamic(const json_t *root, struct buf *out)
{
    const json_t *list = json_object_get(root, "dynamic");
    uint64_t count = show_number(root, "dynamic_names");

    if (!json_is_array(list)) {
        return;
    }
    const char *state = json_string_value(json_object_get(root, "state"));
    show_label(out, "dynamic");
    buf_printf(out, "%" PRIu64 " name%s", count, count == 1 ? "" : "s");
    if (state && strcmp(state, "good") != 0) {
        buf_printf(out, "; the state is %s, and updates are refused", state);
    }
    buf_printf(out, "\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        const json_t *records = json_object_get(row, "records");
        size_t from = buf_len(out);
        buf_printf(out, "  ");
        show_string(out, row, "name");
        for (size_t n = 0; n < json_array_size(records); n++) {
            pad(out, n ? buf_len(out) : from, n ? 0 : 34);
            const char *text = json_string_value(json_array_get(records, n));
            buf_printf(out, "%s%s", text ? text : "?", n + 1 < json_array_size(records) ? "," : "");
        }
        buf_printf(out, "\n");
    }
    if (count > json_array_size(list)) {
        buf_printf(out, "  and %" PRIu64 " more\n", count - json_array_size(list));
    }
}

int dns_render(struct span json, struct buf *out)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    const json_t *list = json_object_get(root, "replicas");
    const json_t *queries = json_object_get(root, "queries");
    uint64_t answers = 0;

    if (!json_is_array(list) || !json_is_object(queries)) {
        json_decref(root);
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        answers += show_number(json_array_get(list, i), "answers");
    }
    show_label(out, "queries");
    show_count(out, show_number(queries, "udp") + show_number(queries, "tcp"));
    buf_printf(out, ": ");
    show_count(out, show_number(queries, "steered"));
    buf_printf(out, " answered with replicas, ");
    show_count(out, show_number(queries, "all_down"));
    buf_printf(out, " of them while none was up\n");
    show_sandbox(json_object_get(root, "sandbox"), out);
    show_refusal(root, out);
    if (json_is_object(json_object_get(root, "measured"))) {
        show_measured(json_object_get(root, "measured"), show_number(queries, "steered"), out);
    }
    buf_printf(out, "  replica       state       answers   for           load\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        show_replica(json_array_get(list, i), answers, out);
    }
    show_dynamic(root, out);
    json_decref(root);
    return 0;
}

int verb_dns(const struct ctl_options *options)
{
    const struct question question = {
        .path = "/status", .render = dns_render, .who = "not larder-dns"};

    if (options->operand_count == 0) {
        return ask(options, &question);
    }
    if (options->operand_count != 2 || strcmp(options->operand, "explain") != 0) {
        fprintf(stderr, "larderctl: dns takes no operand, or explain NAME\n");
        return CTL_USAGE;
    }
    return verb_dns_explain(options);
}

int verb_drain(const struct ctl_options *options)
{
    struct buf path = BUF_INIT, body = BUF_INIT, why = BUF_INIT;

    buf_printf(&path, "/%s", options->verb);
    question_add(&path, "replica", options->operand);
    buf_append(&path, SPAN("\0"));
    int err = fetch_post(options->admin, path.data, &body, &why);
    if (err == ERR_REFUSED) {
        buf_printf(&why, "%s: ", options->operand);
        if (!fetch_error(buf_span(&body), &why)) {
            buf_printf(&why, "refused");
        }
    }
    if (err) {
        fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(&why)));
    } else if (options->json) {
        fwrite(buf_span(&body).at, 1, buf_len(&body), stdout);
    } else {
        printf("%s %s\n", options->operand,
               strcmp(options->verb, "drain") == 0
                   ? "gets no new clients; those it has leave within the TTL of its names"
                   : "gets clients again");
    }
    buf_fini(&path);
    buf_fini(&body);
    buf_fini(&why);
    return err == ERR_REFUSED ? CTL_USAGE : err ? CTL_BAD : CTL_GOOD;
}
