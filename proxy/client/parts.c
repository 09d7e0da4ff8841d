#include "proxy/client/parts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"

static struct parts_source *parts_of(struct source *source)
{
    return container_of(source, struct parts_source, source);
}

static void on_part_wake(void *arg)
{
    const struct parts_source *parts = arg;

    if (parts->source.wake) {
        parts->source.wake(parts->source.wake_arg);
    }
}

static int open_part(struct parts_source *parts)
{
    const struct body_part *part = &parts->list.at[parts->number];
    int err = object_reader_init(parts->reader, parts->object, part->from, part->to, parts->waker);

    parts->reader->waited.us = parts->waited_us;
    if (err) {
        return err;
    }
    source_on_wake(&parts->reader->source, on_part_wake, parts);
    parts->left = part->to - part->from;
    parts->is_open = true;
    return 0;
}

/* The part was sent completely: continues with the text after it. */
static void close_part(struct parts_source *parts)
{
    object_reader_fini(parts->reader);
    parts->waited_us = parts->reader->waited.us;
    parts->is_open = false;
    parts->number++;
    parts->text = parts->number < parts->list.count ? parts->list.at[parts->number].before
                                                    : parts->list.after;
}

/* The next bytes of the current part. */
static int peek_part(struct parts_source *parts, struct span *out)
{
    int err = parts->is_open ? 0 : open_part(parts);

    if (!err) {
        err = source_peek(&parts->reader->source, out);
    }
    return !err && out->len == 0 ? ERR_TRUNCATED : err;
}

static int peek(struct source *source, struct span *out)
{
    struct parts_source *parts = parts_of(source);

    if (parts->is_open && parts->left == 0) {
        close_part(parts);
    }
    *out = parts->text;
    if (parts->text.len > 0 || parts->number == parts->list.count) {
        return 0;
    }
    return peek_part(parts, out);
}

static void advance(struct source *source, size_t n)
{
    struct parts_source *parts = parts_of(source);

    if (parts->text.len > 0) {
        CHECK(n <= parts->text.len);
        parts->text = span_skip(parts->text, n);
        return;
    }
    CHECK(parts->is_open && n <= parts->left);
    source_advance(&parts->reader->source, n);
    parts->left -= n;
}

static bool place(struct source *source, struct file_place *out)
{
    const struct parts_source *parts = parts_of(source);

    return parts->text.len == 0 && parts->is_open && source_place(&parts->reader->source, out);
}

static const struct source_ops parts_ops = {.peek = peek, .advance = advance, .place = place};

int parts_source_init(struct parts_source *source, const struct body_parts *parts,
                      struct object *object, struct object_reader *reader, struct waker waker)
{
    *source = (struct parts_source){
        .source.ops = &parts_ops,
        .list = *parts,
        .object = object,
        .reader = reader,
        .waker = waker,
        .text = parts->at[0].before,
    };
    CHECK(parts->count > 0 && parts->count <= BODY_PARTS_MAX);
    for (size_t i = 0; i < parts->count; i++) {
        CHECK(parts->at[i].from < parts->at[i].to && parts->at[i].to != UINT64_MAX);
    }
    return open_part(source);
}
