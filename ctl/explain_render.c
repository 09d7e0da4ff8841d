/* explain_render - the output of `larderctl explain`: one fact for each label, and each number with
 * its origin. */
#include "ctl/show.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>

enum { WIDTH = 80 };

/* A member that is a string; empty if it is absent or something else. */
static const char *string(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static bool has(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return value && !json_is_null(value);
}

static int64_t signed_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* ---- paragraphs ---- */

/* Writes words from `column` on, with line breaks before WIDTH; further lines begin below the
 * first. */
static void show_wrapped(struct buf *out, size_t column, const char *text)
{
    size_t at = column;

    while (*text) {
        size_t len = strcspn(text, " ");
        if (at > SHOW_LABEL && at + 1 + len > WIDTH) {
            buf_printf(out, "\n%*s", SHOW_LABEL, "");
            at = SHOW_LABEL;
        } else if (at > column || column > SHOW_LABEL) {
            buf_printf(out, " ");
            at++;
        }
        for (size_t i = 0; i < len; i++) {
            char c[2] = {text[i], '\0'};
            show_text(out, c);
        }
        at += len;
        column = SHOW_LABEL;
        text += len + strspn(text + len, " ");
    }
    buf_printf(out, "\n");
}

static void show_paragraph(struct buf *out, const char *label, const char *text)
{
    if (*text) {
        show_label(out, label);
        show_wrapped(out, SHOW_LABEL, text);
    }
}

/* ---- the outcome ---- */

static const char *place(const json_t *stored)
{
    const char *where = string(stored, "where");

    return strcmp(where, "store") == 0      ? "disk"
           : strcmp(where, "arriving") == 0 ? "what is arriving"
           : strcmp(where, "parts") == 0    ? "the parts that are stored"
                                            : "memory";
}

static void show_action(const json_t *next, const json_t *stored, struct buf *out)
{
    static const struct {
        const char *action, *text;
    } plain[] = {
        {"complete", "answered from the parts that are stored; the origin is asked for the rest"},
        {"wait", "waits for the response that another request is fetching"},
        {"validate", "the origin is asked whether the stored response is still valid"},
        {"choose", "the origin is asked, and may choose one of the stored variants"},
        {"fetch", "fetched from the origin"},
        {"pass", "forwarded to the origin, bypassing the cache"},
        {"tunnel", "a tunnel to the target, which the proxy cannot look into"},
        {"answer-here", "answered by the proxy itself"},
    };
    const char *action = string(next, "action");

    show_label(out, "next");
    if (strcmp(action, "refuse") == 0) {
        buf_printf(out, "refused with %" PRIu64 "\n", show_number(next, "status"));
    } else if (strcmp(action, "answer") == 0) {
        buf_printf(out, "answered from %s with %" PRIu64 "\n", place(stored),
                   show_number(next, "status"));
    } else if (strcmp(action, "answer-and-validate") == 0) {
        buf_printf(out, "answered from %s with %" PRIu64 ", then validated in the background\n",
                   place(stored), show_number(next, "status"));
    }
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (strcmp(action, plain[i].action) == 0) {
            buf_printf(out, "%s\n", plain[i].text);
        }
    }
}

static void show_access(const json_t *root, struct buf *out)
{
    const json_t *access = json_object_get(root, "access");
    const char *verdict = string(access, "verdict");
    struct buf line = BUF_INIT;

    if (json_is_null(access)) {
        show_paragraph(out, "access", "not checked: add --client ADDRESS to apply the rules");
    }
    if (*verdict == '\0') {
        return;
    }
    const char *does = strcmp(verdict, "allow") == 0  ? "allows it"
                       : strcmp(verdict, "deny") == 0 ? "denies it"
                                                      : "asks for a login";
    if (has(access, "rule")) {
        buf_printf(&line, "rule %" PRIu64 " (%s) %s%c", show_number(access, "rule"),
                   string(access, "place"), does, '\0');
    } else {
        buf_printf(&line, "no rule matches, so it is denied%c", '\0');
    }
    show_paragraph(out, "access", line.data);
    buf_fini(&line);
}

static void show_next(const json_t *root, struct buf *out)
{
    const json_t *next = json_object_get(root, "next");
    struct buf line = BUF_INIT;

    show_action(next, json_object_get(root, "stored"), out);
    buf_printf(&line, "%s (%s)%c", string(next, "because"), string(next, "reason"), '\0');
    show_paragraph(out, "because", line.data);
    buf_clear(&line);
    show_paragraph(out, "", string(next, "what"));
    buf_printf(&line, "%s: %s%c", string(next, "source"), string(next, "rule"), '\0');
    show_paragraph(out, "rule", line.data);
    buf_clear(&line);
    buf_printf(&line, "Cache-Status: %s%c", string(next, "cache_status"), '\0');
    show_paragraph(out, "field", line.data);
    show_access(root, out);
    buf_fini(&line);
}

/* ---- stored responses ---- */

static void show_summary(const json_t *stored, struct buf *out)
{
    buf_printf(out, "%" PRIu64 ", ", show_number(stored, "status"));
    if (has(stored, "bytes")) {
        show_size(out, show_number(stored, "bytes"));
    } else {
        buf_printf(out, "of unknown length");
    }
    if (has(stored, "content_type")) {
        buf_printf(out, ", ");
        show_string(out, stored, "content_type");
    }
    if (has(stored, "content_encoding")) {
        buf_printf(out, ", ");
        show_string(out, stored, "content_encoding");
    }
    const char *where = string(stored, "where");
    buf_printf(out, ", %s",
               strcmp(where, "store") == 0      ? "on disk"
               : strcmp(where, "parts") == 0    ? "in parts"
               : strcmp(where, "arriving") == 0 ? "arriving"
                                                : "in memory");
}

static void show_field(const json_t *stored, const char *member, const char *name, struct buf *out)
{
    if (has(stored, member)) {
        show_label(out, "");
        buf_printf(out, "%s: ", name);
        show_string(out, stored, member);
        buf_printf(out, "\n");
    }
}

/* The selecting fields of a variant: "accept-encoding: gzip, cookie: (none)". */
static void show_selection(json_t *selected, struct buf *out)
{
    const char *name;
    json_t *value;
    bool first = true;

    json_object_foreach(selected, name, value)
    {
        buf_printf(out, "%s", first ? "" : ", ");
        show_text(out, name);
        buf_printf(out, ": ");
        show_text(out, json_is_null(value) ? "(none)" : json_string_value(value));
        first = false;
    }
}

static void show_parts(const json_t *parts, struct buf *out)
{
    const json_t *list = json_object_get(parts, "ranges");

    if (!json_is_object(parts)) {
        return;
    }
    show_label(out, "");
    show_size(out, show_number(parts, "present"));
    buf_printf(out, " of ");
    show_size(out, show_number(parts, "length"));
    buf_printf(out, ": bytes");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *range = json_array_get(list, i);
        buf_printf(out, "%s %" PRId64 "-%" PRId64, i ? "," : "",
                   (int64_t)json_integer_value(json_array_get(range, 0)),
                   (int64_t)json_integer_value(json_array_get(range, 1)));
    }
    buf_printf(out, "%s\n", json_is_true(json_object_get(parts, "more")) ? ", ..." : "");
}

static void show_stored(const json_t *root, struct buf *out)
{
    const json_t *stored = json_object_get(root, "stored");
    int64_t since = signed_number(root, "now") - signed_number(stored, "received");

    show_label(out, "stored");
    if (!json_is_object(stored)) {
        buf_printf(out, "nothing for this request\n");
        return;
    }
    show_summary(stored, out);
    buf_printf(out, ", ");
    show_duration(out, since > 0 ? (uint64_t)since : 0);
    buf_printf(out, " ago\n");
    if (has(stored, "selected_by")) {
        show_label(out, "");
        buf_printf(out, "for ");
        show_selection(json_object_get(stored, "selected_by"), out);
        buf_printf(out, "\n");
    }
    show_field(stored, "cache_control", "Cache-Control", out);
    show_field(stored, "etag", "ETag", out);
    show_field(stored, "last_modified", "Last-Modified", out);
    show_field(stored, "vary", "Vary", out);
    show_parts(json_object_get(stored, "parts"), out);
}

/* ---- how age and lifetime are computed ---- */

/* A term of a sum: its sign, the number in a column of fixed width, and its meaning. */
static void show_term(struct buf *out, const char *label, char sign, int width, int64_t seconds,
                      const char *what)
{
    show_label(out, label);
    buf_printf(out, "%c %*" PRId64 " s%s%s\n", sign, width, seconds, *what ? "  " : "", what);
}

static int width_of(const json_t *freshness)
{
    int64_t age = signed_number(json_object_get(freshness, "age"), "current");
    int64_t lifetime = signed_number(json_object_get(freshness, "lifetime"), "seconds");

    return snprintf(NULL, 0, "%" PRId64, age > lifetime ? age : lifetime);
}

static void show_age(const json_t *age, int width, struct buf *out)
{
    bool dated = json_is_true(json_object_get(age, "transit_by_date"));

    show_term(out, "age", ' ', width, signed_number(age, "field"), "when it arrived (Age)");
    show_term(out, "", '+', width, signed_number(age, "transit"),
              dated ? "more, according to Date: it came through an HTTP/1.0 cache"
                    : "between request and response");
    show_term(out, "", '+', width, signed_number(age, "resident"), "since then");
    show_term(out, "", '=', width, signed_number(age, "current"), "");
}

/* Shows where a lifetime comes from. */
static void show_source(const json_t *lifetime, struct buf *out)
{
    const char *source = string(lifetime, "source");
    int64_t since = signed_number(lifetime, "date") - signed_number(lifetime, "last_modified");

    if (has(lifetime, "directive")) {
        show_string(out, lifetime, "directive");
        buf_printf(out, " in ");
        show_string(out, lifetime, "field");
    } else if (strcmp(source, "expires") == 0) {
        buf_printf(out, has(lifetime, "expires") ? "Expires - Date" : "Expires is not a date");
    } else if (strcmp(source, "heuristic") == 0 && has(lifetime, "percent")) {
        buf_printf(out, "estimated: %" PRIu64 " %% of Date - Last-Modified, %" PRId64 " s",
                   show_number(lifetime, "percent"), since);
    } else if (strcmp(source, "heuristic") == 0) {
        buf_printf(out, "estimated from Last-Modified%s",
                   json_is_true(json_object_get(lifetime, "longest")) ? ", limited by heuristic-max"
                                                                      : "");
    } else {
        buf_printf(out, "the response states no lifetime");
    }
}

static void show_lifetime(const json_t *lifetime, int width, struct buf *out)
{
    struct buf what = BUF_INIT;

    show_source(lifetime, &what);
    buf_append(&what, SPAN("\0"));
    show_term(out, "lifetime", ' ', width, signed_number(lifetime, "seconds"), what.data);
    buf_fini(&what);
}

static void show_left(int64_t left, int width, struct buf *out)
{
    struct buf what = BUF_INIT;

    buf_printf(&what, "lifetime - age");
    if (left >= 60 || left <= -60) {
        buf_printf(&what, ", ");
        show_duration(&what, (uint64_t)(left < 0 ? -left : left));
    }
    buf_append(&what, SPAN("\0"));
    show_term(out, left > 0 ? "fresh for" : "stale for", ' ', width, left < 0 ? -left : left,
              what.data);
    buf_fini(&what);
}

static void show_freshness(const json_t *freshness, struct buf *out)
{
    int width = width_of(freshness);

    if (!json_is_object(freshness)) {
        return;
    }
    show_age(json_object_get(freshness, "age"), width, out);
    show_lifetime(json_object_get(freshness, "lifetime"), width, out);
    show_left(signed_number(freshness, "remaining"), width, out);
    if (has(freshness, "stale_while_revalidate")) {
        show_term(out, "", ' ', width, signed_number(freshness, "stale_while_revalidate"),
                  "used stale while it is validated");
    }
    if (has(freshness, "stale_if_error")) {
        show_term(out, "", ' ', width, signed_number(freshness, "stale_if_error"),
                  "used stale when the origin fails");
    }
}

/* ---- further facts ---- */

static void show_variants(const json_t *variants, struct buf *out)
{
    const json_t *known = json_object_get(variants, "known");
    const json_t *specs = json_object_get(variants, "vary");

    if (!json_is_object(variants)) {
        return;
    }
    show_label(out, "variants");
    buf_printf(out, "%zu%s known, selected by ", json_array_size(known),
               json_is_true(json_object_get(variants, "more")) ? " or more" : "");
    for (size_t i = 0; i < json_array_size(specs); i++) {
        buf_printf(out, "%s", i ? " or by " : "");
        show_text(out, json_string_value(json_array_get(specs, i)));
    }
    buf_printf(out, "\n");
    for (size_t i = 0; i < json_array_size(known); i++) {
        const json_t *variant = json_array_get(known, i);
        show_label(out, "");
        show_selection(json_object_get(variant, "selected_by"), out);
        buf_printf(out, "  ->  ");
        show_summary(variant, out);
        buf_printf(out, "\n");
    }
}

static void show_traffic(const json_t *root, struct buf *out)
{
    const json_t *fetching = json_object_get(root, "fetching");
    const json_t *mark = json_object_get(root, "pass_mark");

    if (json_is_object(fetching)) {
        show_label(out, "fetching");
        buf_printf(out, "at the moment; %" PRIu64 " waiting\n", show_number(fetching, "waiting"));
    }
    if (json_is_object(mark)) {
        show_label(out, "pass mark");
        buf_printf(out, "for ");
        show_duration(out, show_number(mark, "seconds"));
        buf_printf(out, ": ");
        show_string(out, mark, "because");
        buf_printf(out, "\n");
    }
}

static void show_last(const json_t *root, struct buf *out)
{
    const json_t *last = json_object_get(root, "last");
    int64_t ago = signed_number(root, "now") - signed_number(last, "time_ms") / 1000;
    struct buf line = BUF_INIT;

    if (!json_is_object(last)) {
        show_paragraph(out, "last", "not among the latest requests");
        return;
    }
    show_duration(&line, ago > 0 ? (uint64_t)ago : 0);
    buf_printf(&line, " ago: %s, %" PRIu64 ", %s (%s)", string(last, "method"),
               show_number(last, "status"), string(last, "outcome"), string(last, "reason"));
    if (has(last, "served_from") && show_number(last, "disk_wait_us")) {
        buf_printf(&line, "; waited %" PRIu64 " ms for the disk",
                   (show_number(last, "disk_wait_us") + 999) / 1000);
    }
    if (has(last, "fwd_status")) {
        buf_printf(&line, "; the origin said %" PRIu64, show_number(last, "fwd_status"));
    }
    if (json_is_true(json_object_get(last, "stored"))) {
        buf_printf(&line, "; stored");
    } else if (has(last, "not_stored_because")) {
        buf_printf(&line, "; not stored: %s (%s)", string(last, "not_stored_because"),
                   string(last, "store_reason"));
    }
    buf_append(&line, SPAN("\0"));
    show_paragraph(out, "last", line.data);
    buf_fini(&line);
}

static void show_remedies(const json_t *list, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *remedy = json_array_get(list, i);
        show_paragraph(out, i ? "" : "to change", string(remedy, "text"));
    }
}

int explain_render(struct span json, struct buf *out)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    const json_t *request = json_object_get(root, "request");

    if (!json_is_object(root) || !json_is_object(json_object_get(root, "next"))) {
        json_decref(root);
        return ERR_SYNTAX;
    }
    show_string(out, request, "method");
    buf_printf(out, " ");
    show_string(out, request, "url");
    if (has(request, "client")) {
        buf_printf(out, " for ");
        show_string(out, request, "client");
    }
    if (has(request, "mirror")) {
        buf_printf(out, " (mirror ");
        show_string(out, request, "mirror");
        buf_printf(out, ")");
    }
    buf_printf(out, "\n\n");
    show_next(root, out);
    show_remedies(json_object_get(root, "remedies"), out);
    buf_printf(out, "\n");
    if (has(root, "key")) { /* the cache was asked */
        show_stored(root, out);
        show_freshness(json_object_get(root, "freshness"), out);
        show_variants(json_object_get(root, "variants"), out);
        show_traffic(root, out);
    }
    show_last(root, out);
    json_decref(root);
    return 0;
}
