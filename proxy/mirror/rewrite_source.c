#include "proxy/mirror/rewrite_source.h"

#include "base/list.h"

static void on_wake(void *arg)
{
    struct rewrite_source *source = arg;

    if (source->source.wake) {
        source->source.wake(source->source.wake_arg);
    }
}

/* Rewrites more, until there is output. Returns 0, or an error of peek(). */
static int fill(struct rewrite_source *source)
{
    struct span in;

    while (source->start == source->end && !source->ended) {
        int err = source_peek(source->from, &in);
        if (err) {
            return err;
        }
        size_t before = in.len;
        source->start = 0;
        if (before == 0) {
            source->ended = true;
            source->end = rewriter_end(&source->rewriter, source->out, sizeof(source->out));
        } else {
            source->end = rewriter_run(&source->rewriter, &in, source->out, sizeof(source->out));
            source_advance(source->from, before - in.len);
        }
    }
    return 0;
}

static int peek(struct source *base, struct span *out)
{
    struct rewrite_source *source = container_of(base, struct rewrite_source, source);
    int err = fill(source);

    *out = err ? SPAN_EMPTY : span_of(source->out + source->start, source->end - source->start);
    return err;
}

static void advance(struct source *base, size_t n)
{
    container_of(base, struct rewrite_source, source)->start += n;
}

static void drop(struct source *base)
{
    source_drop(container_of(base, struct rewrite_source, source)->from);
}

void rewrite_source_init(struct rewrite_source *source, struct source *from,
                         enum rewrite_format format, const struct rewrite_links *links)
{
    static const struct source_ops ops = {.peek = peek, .advance = advance, .drop = drop};

    source->source = (struct source){.ops = &ops};
    source->from = from;
    source->ended = false;
    source->start = source->end = 0;
    rewriter_init(&source->rewriter, format, links);
    source_on_wake(from, on_wake, source);
}
