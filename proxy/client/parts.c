#include "proxy/client/parts.h"

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"

static struct parts_source *parts_of(struct source *source)
{
    return container_of(source, struct parts_source, source);
}

static void on_piece_wake(void *arg)
{
    const struct parts_source *playing = arg;

    if (playing->source.wake) {
        playing->source.wake(playing->source.wake_arg);
    }
}

static int open_piece(struct parts_source *playing)
{
    const struct body_part *part = &playing->parts.at[playing->number];
    int err =
        object_reader_init(playing->reader, playing->object, part->from, part->to, playing->waker);

    playing->reader->waited.us = playing->waited_us;
    if (err) {
        return err;
    }
    source_on_wake(&playing->reader->source, on_piece_wake, playing);
    playing->left = part->to - part->from;
    playing->is_open = true;
    return 0;
}

/* The piece was sent completely: continues with the text after it. */
static void close_piece(struct parts_source *playing)
{
    object_reader_fini(playing->reader);
    playing->waited_us = playing->reader->waited.us;
    playing->is_open = false;
    playing->number++;
    playing->text = playing->number < playing->parts.count
                        ? playing->parts.at[playing->number].before
                        : playing->parts.after;
}

/* The next bytes of the current piece. */
static int peek_piece(struct parts_source *playing, struct span *out)
{
    int err = playing->is_open ? 0 : open_piece(playing);

    if (!err) {
        err = source_peek(&playing->reader->source, out);
    }
    return !err && out->len == 0 ? ERR_TRUNCATED : err;
}

static int peek(struct source *source, struct span *out)
{
    struct parts_source *playing = parts_of(source);

    if (playing->is_open && playing->left == 0) {
        close_piece(playing);
    }
    *out = playing->text;
    if (playing->text.len > 0 || playing->number == playing->parts.count) {
        return 0;
    }
    return peek_piece(playing, out);
}

static void advance(struct source *source, size_t n)
{
    struct parts_source *playing = parts_of(source);

    if (playing->text.len > 0) {
        CHECK(n <= playing->text.len);
        playing->text = span_skip(playing->text, n);
        return;
    }
    CHECK(playing->is_open && n <= playing->left);
    source_advance(&playing->reader->source, n);
    playing->left -= n;
}

static bool place(struct source *source, struct file_place *out)
{
    const struct parts_source *playing = parts_of(source);

    return playing->text.len == 0 && playing->is_open &&
           source_place(&playing->reader->source, out);
}

static const struct source_ops parts_ops = {.peek = peek, .advance = advance, .place = place};

int parts_source_init(struct parts_source *source, const struct body_parts *parts,
                      struct object *object, struct object_reader *reader, struct waker waker)
{
    *source = (struct parts_source){
        .source.ops = &parts_ops,
        .parts = *parts,
        .object = object,
        .reader = reader,
        .waker = waker,
        .text = parts->at[0].before,
    };
    CHECK(parts->count > 0 && parts->count <= BODY_PARTS_MAX);
    for (size_t i = 0; i < parts->count; i++) {
        CHECK(parts->at[i].from < parts->at[i].to && parts->at[i].to != UINT64_MAX);
    }
    return open_piece(source);
}
