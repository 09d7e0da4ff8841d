/*
 * exchange_mirror - what mirrors change: the request, responses made here, and links in documents.
 *
 * A document is stored as the origin sent it, once for all clients; links are rewritten for each
 * client while the document is sent. So clients with different Hosts never get each other's links.
 * As the client gets another representation than the origin's, its ETag has a mark that depends on
 * the links.
 */
#include "proxy/client/exchange_parts.h"

#include "http/hop.h"
#include "http/put.h"
#include "http/validator.h"
#include "proxy/mirror/rewrite_source.h"

enum { MARK_LEN = 18 }; /* "-m" and 16 hex digits */

struct exchange_rewrite {
    struct rewrite_links links;
    struct span mark;
    bool on; /* the head has announced rewritten links */
    enum rewrite_format format;
};

struct span exchange_mirror(const struct exchange *x)
{
    return x->site && x->site->mirror ? x->site->mirror->path : SPAN_EMPTY;
}

enum exchange_state exchange_answer_ping(struct exchange *x)
{
    struct span body = SPAN("{}");
    struct http_head head;

    exchange_begin_answer(x, body, REASON_NONE, &head);
    fields_add_id(&head.fields, FIELD_CONTENT_TYPE, SPAN("application/json"));
    fields_add(&head.fields, SPAN("Docker-Distribution-Api-Version"), SPAN("registry/2.0"));
    return exchange_send_answer(x, &head, x->request.method == METHOD_HEAD ? SPAN_EMPTY : body);
}

/* ---- the request ---- */

static struct span mark_of(const struct rewrite_links *links, struct arena *arena)
{
    static const struct sip_key key = {0x6c61726465722d6c, 0x696e6b732d6d6164};
    struct buf text = BUF_INIT;

    for (size_t i = 0; i < links->count; i++) {
        buf_printf(&text, "%.*s %.*s\n", SPAN_ARGS(links->at[i].from), SPAN_ARGS(links->at[i].to));
    }
    unsigned long long hash = sip_hash64(&key, buf_span(&text));
    buf_fini(&text);
    return arena_printf(arena, "-m%016llx", hash);
}

/* The part of an ETag before our mark and the closing quote; empty: it has no mark of ours. */
static struct span before_mark(struct span tag, struct span mark)
{
    struct span quote = SPAN("\"");

    if (!span_ends(tag, quote) || !span_ends(span_take(tag, tag.len - quote.len), mark)) {
        return SPAN_EMPTY;
    }
    return span_take(tag, tag.len - quote.len - mark.len);
}

/* Writes the origin's ETag for a marked one at `at`, which has room for it. */
static char *put_unmarked(char *at, struct span tag, struct span mark)
{
    struct span before = before_mark(tag, mark);

    if (span_eq(tag, SPAN("*"))) {
        return put_span(at, tag);
    }
    return before.len ? put_span(put_span(at, before), SPAN("\"")) : at;
}

/* A list of ETags as the origin knows them. Those of documents with other links, or without
 * rewritten links, are left out, as the client would not get these. */
static struct span unmarked_list(struct span tags, struct span mark, struct arena *arena)
{
    struct list_members it = list_members_of(tags);
    char *text = arena_alloc(arena, 2 * tags.len); /* ", " replaces "," */
    char *end = text;
    struct span tag;

    while (list_next(&it, &tag)) {
        char *start = put_span(end, end == text ? SPAN_EMPTY : SPAN(", "));
        char *behind = put_unmarked(start, tag, mark);
        end = behind == start ? end : behind;
    }
    return span_from_to(text, end);
}

static void unmark_condition(struct exchange *x)
{
    struct span tags;

    if (!fields_joined(&x->request.fields, http_field_name(FIELD_IF_NONE_MATCH), &x->arena,
                       &tags)) {
        return;
    }
    struct span ours = unmarked_list(tags, x->rewrite->mark, &x->arena);
    fields_remove_id(&x->request.fields, FIELD_IF_NONE_MATCH);
    if (ours.len) {
        fields_add_id(&x->request.fields, FIELD_IF_NONE_MATCH, ours);
    } else {
        fields_remove_id(
            &x->request.fields,
            FIELD_IF_MODIFIED_SINCE); /* the origin's date says nothing about our links */
    }
}

static void prepare_rewrite(struct exchange *x, const struct mirrored *mirrored)
{
    x->rewrite = arena_alloc(&x->arena, sizeof(*x->rewrite));
    memset(x->rewrite, 0, sizeof(*x->rewrite));
    mirror_links(mirrored, &x->arena, &x->rewrite->links);
    x->rewrite->mark = mark_of(&x->rewrite->links, &x->arena);
    unmark_condition(x);
    fields_remove_id(&x->request.fields, FIELD_RANGE); /* the ranges are of rewritten bytes */
    fields_remove_id(&x->request.fields, FIELD_IF_RANGE);
}

void exchange_prepare_mirror(struct exchange *x, const struct route *route)
{
    struct http_fields *fields = &x->request.fields;
    enum mirror_kind kind = mirror_class(x->site, x->uri.path)->kind;
    bool reads = x->request.method == METHOD_GET || x->request.method == METHOD_HEAD;

    hop_strip_places(fields);
    fields_remove_id(fields, FIELD_COOKIE);
    if (route->mirrored.mirror->preset == PRESET_OCI) {
        fields_remove_id(fields, FIELD_AUTHORIZATION); /* the mirror fetches only what is public */
    }
    if (kind == MIRROR_DIGEST || mirror_rewrites(x->site, kind)) {
        fields_remove_id(fields, FIELD_ACCEPT_ENCODING); /* so that the document comes unencoded */
    }
    if (reads && mirror_rewrites(x->site, kind)) {
        prepare_rewrite(x, &route->mirrored);
    }
    policy_read_request(&x->request, &route->rules, &x->policy);
}

/* ---- the response ---- */

static bool format_of(const struct exchange *x, struct span type, enum rewrite_format *out)
{
    bool npm = x->site->mirror->preset == PRESET_NPM;

    type = span_trim(span_take(type, span_find(type, ';')));
    if (span_ieq(type, SPAN("text/html")) ||
        span_ieq(type, SPAN("application/vnd.pypi.simple.v1+html"))) {
        *out = REWRITE_PIP_HTML;
        return !npm;
    }
    *out = npm ? REWRITE_NPM : REWRITE_PIP_JSON;
    return span_ieq(type, SPAN("application/json")) ||
           span_ieq(type, SPAN("application/vnd.npm.install-v1+json")) ||
           span_ieq(type, SPAN("application/vnd.pypi.simple.v1+json"));
}

static void mark_tag(struct exchange *x, struct http_head *head)
{
    struct span tag = fields_get(&head->fields, FIELD_ETAG);

    if (fields_count(&head->fields, FIELD_ETAG) == 1 && etag_is_valid(tag)) {
        tag = arena_printf(&x->arena, "%.*s%.*s\"", SPAN_ARGS(span_take(tag, tag.len - 1)),
                           SPAN_ARGS(x->rewrite->mark));
        fields_set_id(&head->fields, FIELD_ETAG, tag);
    }
}

/* Removes fields that describe the bytes, which are rewritten (digests: RFC 9530 and its
 * predecessors). */
static void drop_bytes(struct http_fields *fields)
{
    static const struct span names[] = {SPAN_INIT("Content-Length"), SPAN_INIT("Accept-Ranges"),
                                        SPAN_INIT("Content-Digest"), SPAN_INIT("Repr-Digest"),
                                        SPAN_INIT("Digest"),         SPAN_INIT("Content-MD5")};

    fields_remove_names(fields, names, ARRAY_LEN(names));
}

void exchange_rewrite_head(struct exchange *x, struct http_head *head)
{
    struct exchange_rewrite *rewrite = x->rewrite;
    struct span type = fields_get(&x->object->fields, FIELD_CONTENT_TYPE);

    bool document = x->object->status == 200 && format_of(x, type, &rewrite->format);
    rewrite->on = document && head->status == 200;
    if (document || head->status == 304) {
        mark_tag(x, head);
    }
    if (!rewrite->on) {
        return;
    }
    drop_bytes(&head->fields);
    head->content_length = -1;
    if (head->framing == BODY_LENGTH) {
        head->framing = BODY_CHUNKED;
    }
}

bool exchange_is_rewritten(const struct exchange *x)
{
    return x->rewrite && x->rewrite->on;
}

struct source *exchange_rewrite_body(struct exchange *x, struct source *body)
{
    if (!exchange_is_rewritten(x)) {
        return body;
    }
    struct rewrite_source *source = arena_alloc(&x->arena, sizeof(*source));
    rewrite_source_init(source, body, x->rewrite->format, &x->rewrite->links);
    return &source->source;
}
