#include "proxy/mirror/rewrite_parts.h"

#include "base/check.h"

/* ---- values ---- */

static void write_out(struct rewriter *rewriter, const char *at, size_t len)
{
    if (len) {
        memcpy(rewriter->out + rewriter->written, at, len);
        rewriter->written += len;
    }
}

void rewrite_decide(struct rewriter *rewriter)
{
    struct rewrite_match *match = &rewriter->match;
    size_t from = 0;

    if (!match->on) {
        return;
    }
    match->on = false;
    if (match->best >= 0) {
        struct span to = rewriter->links->at[match->best].to;
        write_out(rewriter, to.at, to.len);
        from = match->best_held;
    }
    write_out(rewriter, match->raw + from, match->held - from);
}

void rewrite_put(struct rewriter *rewriter, char c)
{
    struct rewrite_match *match = &rewriter->match;

    if (match->on && match->held == sizeof(match->raw)) {
        rewrite_decide(rewriter);
    }
    if (match->on) {
        match->raw[match->held++] = c;
    } else {
        rewriter->out[rewriter->written++] = c;
    }
}

void rewrite_begin(struct rewriter *rewriter)
{
    struct rewrite_match *match = &rewriter->match;

    match->on = rewriter->links->count > 0;
    match->alive = (1U << rewriter->links->count) - 1;
    match->read = match->held = match->best_held = 0;
    match->best = -1;
}

void rewrite_feed(struct rewriter *rewriter, int c)
{
    struct rewrite_match *match = &rewriter->match;

    if (!match->on) {
        return;
    }
    for (size_t i = 0; i < rewriter->links->count; i++) {
        struct span from = rewriter->links->at[i].from;
        bool alive = match->alive & (1U << i);
        if (!alive || match->read >= from.len || c < 0 || from.at[match->read] != (char)c) {
            match->alive &= ~(1U << i);
        } else if (match->read + 1 == from.len) {
            match->best = (int)i;
            match->best_held = match->held;
        }
    }
    match->read++;
    if (match->alive == 0) {
        rewrite_decide(rewriter);
    }
}

/* ---- words ---- */

void rewrite_word_add(struct rewriter *rewriter, int c)
{
    struct rewrite_word *word = &rewriter->word;

    if (c >= 0 && word->len < sizeof(word->text)) {
        word->text[word->len++] = (char)c;
    } else {
        word->len = sizeof(word->text) + 1;
    }
}

bool rewrite_word_is(const struct rewriter *rewriter, struct span word)
{
    return rewriter->word.len <= sizeof(rewriter->word.text) &&
           span_eq(span_of(rewriter->word.text, rewriter->word.len), word);
}

/* ---- documents ---- */

void rewriter_init(struct rewriter *rewriter, enum rewrite_format format,
                   const struct rewrite_links *links)
{
    memset(rewriter, 0, sizeof(*rewriter));
    rewriter->format = format;
    rewriter->links = links;
    CHECK(links->count <= REWRITE_LINKS_MAX);
    for (size_t i = 0; i < links->count; i++) {
        CHECK(links->at[i].from.len && links->at[i].to.len <= REWRITE_TO_MAX);
    }
}

static size_t dull(const struct rewriter *rewriter, struct span in)
{
    if (rewriter->match.on) {
        return 0;
    }
    return rewriter->format == REWRITE_PIP_HTML ? rewrite_html_dull(rewriter, in)
                                                : rewrite_json_dull(rewriter, in);
}

size_t rewriter_run(struct rewriter *rewriter, struct span *in, char *out, size_t room)
{
    CHECK(room >= REWRITE_ROOM);
    rewriter->out = out;
    rewriter->written = 0;
    while (in->len && room - rewriter->written >= REWRITE_ROOM) {
        struct span fits = span_take(*in, room - rewriter->written - REWRITE_ROOM + 1);
        size_t many = dull(rewriter, fits);
        if (many) {
            write_out(rewriter, in->at, many);
            *in = span_skip(*in, many);
            continue;
        }
        if (rewriter->format == REWRITE_PIP_HTML) {
            rewrite_html(rewriter, in->at[0]);
        } else {
            rewrite_json(rewriter, in->at[0]);
        }
        *in = span_skip(*in, 1);
    }
    return rewriter->written;
}

size_t rewriter_end(struct rewriter *rewriter, char *out, size_t room)
{
    CHECK(room >= REWRITE_ROOM);
    rewriter->out = out;
    rewriter->written = 0;
    rewrite_decide(rewriter);
    return rewriter->written;
}
