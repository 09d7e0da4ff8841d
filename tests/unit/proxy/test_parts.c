#include "proxy/client/parts.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "tests/lib/content.h"
#include "tests/unit/cache/object_kit.h"

#include <criterion/criterion.h>

enum { BODY = 300000 };

/* An object whose body is fed piece by piece, and what a consumer took of its parts. */
struct scene {
    struct arena arena;
    struct spool *spool; /* the writer's */
    struct object *object;
    struct object_reader reader;
    struct parts_source playing;
    struct buf got;
    int reader_wakes, consumer_wakes;
};

static void count_wake(void *arg)
{
    ++*(int *)arg;
}

static void scene_init(struct scene *s, bool is_kept, int64_t announced)
{
    static const struct freshness freshness;
    struct cache_key key = {.text = SPAN("t http://a/")};
    struct http_head head;

    *s = (struct scene){.got = BUF_INIT};
    arena_init(&s->arena, NULL, 0);
    head_init(&head, &s->arena);
    head.status = 200;
    head.framing = BODY_LENGTH;
    head.content_length = announced;
    s->spool = spool_new(&(struct spool_options){.expected = announced, .limit = 1 << 20});
    if (is_kept) {
        spool_keep(s->spool, 1 << 20);
    }
    s->object = object_new(&key, &head, &head.fields, &freshness, spool_ref(s->spool));
}

static void feed(struct scene *s, uint64_t from, uint64_t to)
{
    char *bytes = xmalloc((size_t)(to - from));

    content_fill(1, from, bytes, (size_t)(to - from));
    spool_append(s->spool, span_of(bytes, (size_t)(to - from)));
    free(bytes);
}

static int play(struct scene *s, const struct body_parts *parts)
{
    int err = parts_source_init(&s->playing, parts, s->object, &s->reader,
                                (struct waker){count_wake, &s->reader_wakes});

    source_on_wake(&s->playing.source, count_wake, &s->consumer_wakes);
    return err;
}

/* Takes all there is, at most `bite` bytes at once; 0 at the end, or what the source says. */
static int take(struct scene *s, size_t bite)
{
    struct span span;
    int err;

    while ((err = source_peek(&s->playing.source, &span)) == 0 && span.len > 0) {
        span = span_take(span, bite);
        buf_append(&s->got, span);
        source_advance(&s->playing.source, span.len);
    }
    return err;
}

/* What was taken are the texts and the bytes of these parts, and no more. */
static void expect_all(struct scene *s, const struct body_parts *parts)
{
    struct span rest = buf_span(&s->got);

    for (size_t i = 0; i < parts->count; i++) {
        const struct body_part *part = &parts->at[i];
        size_t len = (size_t)(part->to - part->from);
        cr_assert(span_starts(rest, part->before), "text %zu", i);
        rest = span_skip(rest, part->before.len);
        cr_assert_geq(rest.len, len);
        cr_expect_eq(content_compare(1, part->from, span_take(rest, len)), len, "part %zu", i);
        rest = span_skip(rest, len);
    }
    cr_expect(span_eq(rest, parts->after));
}

static void scene_fini(struct scene *s)
{
    object_reader_fini(&s->reader);
    object_unref(&s->object);
    spool_unref(&s->spool);
    buf_fini(&s->got);
    arena_fini(&s->arena);
    cr_expect_eq(memory_sum(MEMORY_BODIES), 0);
}

static const struct body_parts three = {
    .count = 3,
    .at = {{SPAN_INIT("one "), 10, 20},
           {SPAN_INIT(" two "), 100000, 250000},
           {SPAN_INIT(" three "), 0, 1}},
    .after = SPAN_INIT(" end"),
};

static const struct body_parts bare = {.count = 2,
                                       .at = {{.from = 5, .to = 6}, {.from = 7, .to = BODY}}};

Test(parts, in_any_order_from_a_whole_object)
{
    static const size_t bites[] = {1, 3, 4096, SIZE_MAX};
    static const struct body_parts *const all[] = {&three, &bare};

    for (size_t i = 0; i < ARRAY_LEN(bites) * ARRAY_LEN(all); i++) {
        struct scene s;
        const struct body_parts *parts = all[i % ARRAY_LEN(all)];
        scene_init(&s, true, BODY);
        feed(&s, 0, BODY);
        spool_end(s.spool, 0);
        cr_assert_eq(play(&s, parts), 0);
        cr_expect_eq(take(&s, bites[i / ARRAY_LEN(all)]), 0);
        expect_all(&s, parts);
        cr_expect_eq(take(&s, SIZE_MAX), 0, "the end stays the end");
        scene_fini(&s);
    }
}

/* Of a stored object all has a place but the texts. */
Test(parts, what_lies_in_the_store_has_a_place)
{
    static const size_t bites[] = {3000, SIZE_MAX};
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    struct object *object = kit_object(kit.store, "key", BODY, 0);
    char *body = kit_body(SPAN("key"), BODY);
    for (size_t i = 0; i < ARRAY_LEN(bites); i++) {
        struct scene s = {.object = object, .got = BUF_INIT};
        struct buf want = BUF_INIT;
        size_t texts = 0, placed;
        for (size_t n = 0; n < three.count; n++) {
            const struct body_part *part = &three.at[n];
            buf_append(&want, part->before);
            buf_append(&want, span_of(body + part->from, (size_t)(part->to - part->from)));
            texts += part->before.len;
        }
        buf_append(&want, three.after);
        cr_assert_eq(play(&s, &three), 0);
        cr_expect(kit_reads(&s.playing.source, buf_span(&want), bites[i], &placed));
        cr_expect_eq(placed, buf_len(&want) - texts - three.after.len);
        object_reader_fini(&s.reader);
        buf_fini(&want);
    }
    object_unref(&object);
    free(body);
    kit_fini(&kit);
}

Test(parts, while_the_object_arrives)
{
    struct scene s;

    scene_init(&s, true, BODY);
    cr_assert_eq(play(&s, &three), 0);
    for (uint64_t at = 0; at < 250000; at += 1000) {
        cr_assert_eq(take(&s, SIZE_MAX), ERR_AGAIN);
        s.reader_wakes = 0;
        feed(&s, at, at + 1000);
        cr_assert_eq(s.reader_wakes, 1);
    }
    cr_expect_eq(take(&s, SIZE_MAX), 0, "it does not wait for what is behind its parts");
    expect_all(&s, &three);
    feed(&s, 250000, BODY);
    spool_end(s.spool, 0);
    scene_fini(&s);
}

Test(parts, the_wake_of_a_piece_is_the_consumers)
{
    struct scene s;

    scene_init(&s, true, BODY);
    cr_assert_eq(play(&s, &three), 0);
    cr_assert_eq(take(&s, SIZE_MAX), ERR_AGAIN);
    for (int i = 1; i <= 2; i++) {
        s.reader.source.wake(s.reader.source.wake_arg);
        cr_expect_eq(s.consumer_wakes, i);
        feed(&s, (uint64_t)(i - 1) * 50000, (uint64_t)i * 50000);
        cr_assert_eq(take(&s, SIZE_MAX), ERR_AGAIN); /* the second piece has another reader */
    }
    spool_end(s.spool, ERR_TRUNCATED);
    scene_fini(&s);
}

Test(parts, the_waits_of_all_pieces_are_summed)
{
    struct scene s;
    struct span span;
    uint64_t wait = 1;

    scene_init(&s, true, BODY);
    feed(&s, 0, BODY);
    spool_end(s.spool, 0);
    cr_assert_eq(play(&s, &three), 0);
    for (size_t next = 0; source_peek(&s.playing.source, &span) == 0 && span.len > 0;) {
        if (s.playing.number == next && s.playing.text.len == 0) { /* the first bytes of a piece */
            s.reader.waited.us += wait;
            wait *= 10;
            next++;
        }
        source_advance(&s.playing.source, span.len);
    }
    cr_expect_eq(s.reader.waited.us, 111);
    object_reader_fini(&s.reader);
    cr_assert_eq(play(&s, &three), 0);
    cr_expect_eq(s.reader.waited.us, 0, "and another body begins without");
    scene_fini(&s);
}

Test(parts, a_body_that_breaks_off_breaks_the_source)
{
    struct scene s;

    scene_init(&s, true, BODY);
    cr_assert_eq(play(&s, &three), 0);
    feed(&s, 0, 150000);
    spool_end(s.spool, ERR_CLOSED);
    cr_expect_eq(take(&s, SIZE_MAX), ERR_CLOSED);
    cr_expect_eq(buf_len(&s.got), 4 + 10 + 5 + 50000);
    scene_fini(&s);
}

/* Its length was announced, but it is not what came. */
Test(parts, a_body_that_ends_early_breaks_the_source)
{
    struct scene s;

    scene_init(&s, true, BODY);
    feed(&s, 0, 150000);
    spool_end(s.spool, 0);
    cr_assert_eq(play(&s, &three), 0);
    cr_expect_eq(take(&s, SIZE_MAX), ERR_TRUNCATED);
    cr_expect_eq(buf_len(&s.got), 4 + 10 + 5 + 50000);
    scene_fini(&s);
}

/* Nobody keeps what passes through: the third part lies before the second. */
Test(parts, what_has_left_memory_breaks_the_source)
{
    struct scene s;

    scene_init(&s, false, BODY);
    cr_assert_eq(play(&s, &three), 0);
    for (uint64_t at = 0; at < 249000; at += 1000) {
        feed(&s, at, at + 1000);
        cr_assert_eq(take(&s, SIZE_MAX), ERR_AGAIN);
    }
    feed(&s, 249000, 250000);
    cr_expect_eq(take(&s, SIZE_MAX), ERR_NOT_FOUND);
    spool_end(s.spool, 0);
    scene_fini(&s);

    scene_init(&s, false, BODY);
    struct object_reader other;
    cr_assert_eq(object_reader_init(&other, s.object, 0, UINT64_MAX, (struct waker){0}), 0);
    feed(&s, 0, 100000);
    struct span span;
    while (source_peek(&other.source, &span) == 0 && span.len > 0) {
        source_advance(&other.source, span.len);
    }
    cr_expect_eq(play(&s, &three), ERR_NOT_FOUND, "and the first one is tried at once");
    spool_end(s.spool, 0);
    object_reader_fini(&other);
    scene_fini(&s);
}
