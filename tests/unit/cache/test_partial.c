#include "cache/partial.h"

#include "base/err.h"
#include "base/mem.h"
#include "cache/cache.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static struct sip_key secret = {1, 2};
static const struct cache_key key = {.text = SPAN_INIT("forward http://a:80/x")};
static int wakes;

static void count_wake(void *arg)
{
    (void)arg;
    wakes++;
}

static struct partial *parts_of(uint64_t length, bool joins)
{
    return partial_new(&(struct partial_options){
        .key = &key,
        .secret = &secret,
        .length = length,
        .joins = joins,
        .ranges = true,
    });
}

/* Byte i of the representation. */
static char byte_at(uint64_t i)
{
    return (char)(i * 131 + (i >> 8) * 7);
}

/* Appends [from, to) of the representation. */
static void append(struct spool *spool, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        char byte = byte_at(i);
        spool_append(spool, span_of(&byte, 1));
    }
}

/* Begins to arrive in `spool`, `length` bytes of it, at 1000 ms. */
static void begin_in(struct spool *spool, struct partial *parts, struct piece *piece,
                     uint64_t length)
{
    static const struct http_fields none = {0};
    static const struct freshness freshness = {0};
    struct http_head head = {.status = 206, .framing = BODY_LENGTH, .content_length = -1};
    struct piece_range range = partial_range(parts, piece);
    struct object *object = object_new(&key, &head, &none, &freshness, spool);

    partial_arrives(parts, piece, object, 1000);
    append(spool, range.from, range.from + length);
    object_unref(&object);
}

/* The same, to be kept in memory. */
static struct spool *begin(struct partial *parts, struct piece *piece, uint64_t length)
{
    struct spool *spool = spool_new(&(struct spool_options){.expected = -1, .limit = 4 * MIB});

    spool_keep(spool, MIB);
    begin_in(spool, parts, piece, length);
    return spool;
}

/* Begins to arrive, and pauses for its first reader; its writer is counted in `wakes` then. */
static struct spool *paused(struct partial *parts, struct piece *piece)
{
    struct spool *spool = spool_new(
        &(struct spool_options){.expected = -1, .limit = 1, .writer = {count_wake, NULL}});

    begin_in(spool, parts, piece, 50);
    cr_expect(spool_is_paused(spool));
    return spool;
}

/* Arrives, `length` bytes of it, and is held in memory. */
static void bring(struct partial *parts, struct piece *piece, uint64_t length)
{
    struct spool *spool = begin(parts, piece, length);

    partial_held(parts, piece, length);
    spool_end(spool, 0);
}

/* Claims and brings the first hole of [from, to); returns it. */
static struct piece_range fill(struct partial *parts, uint64_t from, uint64_t to)
{
    struct piece *piece = partial_claim(parts, from, to, CLAIM_AHEAD, 1000);
    struct piece_range range = {0, 0};

    if (piece) {
        range = partial_range(parts, piece);
        bring(parts, piece, range.to - range.from);
        piece_unref(&piece);
    }
    return range;
}

static void expect_range(struct piece_range range, uint64_t from, uint64_t to)
{
    cr_expect(range.from == from && range.to == to, "[%llu,%llu) instead of [%llu,%llu)",
              (unsigned long long)range.from, (unsigned long long)range.to,
              (unsigned long long)from, (unsigned long long)to);
}

Test(partial, only_holes_are_claimed_first_things_first)
{
    struct partial *parts = parts_of(1000, true);

    expect_range(fill(parts, 200, 300), 200, 300);
    expect_range(fill(parts, 0, 100), 0, 100);
    expect_range(fill(parts, 50, 250), 100, 200); /* only what is between */
    expect_range(fill(parts, 0, 300), 0, 0);      /* nothing is missing there */
    expect_range(fill(parts, 290, 5000), 300, 1000);
    cr_expect_null(partial_claim(parts, 0, UINT64_MAX, CLAIM_HERE, 1000));
    partial_unref(&parts);
}

Test(partial, what_is_here_is_told_as_joined_ranges)
{
    struct partial *parts = parts_of(1000, true);
    struct piece_range ranges[4];

    fill(parts, 0, 10);
    fill(parts, 10, 20);
    fill(parts, 30, 40);
    cr_assert_eq(partial_ranges(parts, ranges, 4), 2);
    expect_range(ranges[0], 0, 20);
    expect_range(ranges[1], 30, 40);
    cr_expect_eq(partial_ranges(parts, ranges, 1), 1);
    cr_expect(partial_covers(parts, 5, 20, false));
    cr_expect_not(partial_covers(parts, 5, 21, false));
    cr_expect_not(partial_covers(parts, 20, 35, true));
    partial_unref(&parts);
}

Test(partial, a_claimed_piece_is_on_its_way_and_nobody_elses)
{
    struct partial *parts = parts_of(1000, true);
    struct piece *first = partial_claim(parts, 0, 500, CLAIM_HERE, 1000);
    struct piece *second = partial_claim(parts, 0, 1000, CLAIM_AHEAD, 1000);

    cr_expect_null(partial_claim(parts, 100, 200, CLAIM_HERE, 1000));
    expect_range(partial_range(parts, first), 0, 500);
    expect_range(partial_range(parts, second), 500, 1000);
    cr_expect(partial_covers(parts, 0, 1000, true));
    cr_expect_not(partial_covers(parts, 0, 1, false));
    cr_expect_not(partial_is_settled(parts));
    partial_forget(parts, second);
    bring(parts, first, 500);
    cr_expect(partial_is_settled(parts));
    cr_expect_not(partial_covers(parts, 0, 1000, true));
    piece_unref(&first);
    piece_unref(&second);
    partial_unref(&parts);
}

/* 100 MiB of which 100 kB have come in two seconds, and more is claimed at 50 MiB. */
struct overlap {
    struct partial *parts;
    struct piece *slow, *here;
    struct spool *spool;
};

static struct overlap overlap_at(uint64_t from, uint64_t to)
{
    struct overlap o = {.parts = parts_of(100 * MIB, true)};

    o.slow = partial_claim_all(o.parts, 0, 100 * MIB);
    o.spool = begin(o.parts, o.slow, 100000);
    o.here = partial_claim(o.parts, from, to, CLAIM_HERE, 3000);
    cr_assert_not_null(o.here, "50 kB a second");
    return o;
}

static void overlap_end(struct overlap *o)
{
    spool_end(o->spool, ERR_CLOSED);
    piece_unref(&o->slow);
    piece_unref(&o->here);
    partial_unref(&o->parts);
}

Test(partial, a_piece_is_cut_where_somebody_would_wait_too_long)
{
    struct partial *parts = parts_of(100 * MIB, true);
    struct piece *slow = partial_claim_all(parts, 0, 100 * MIB);
    struct spool *spool = begin(parts, slow, 100000);

    cr_expect_null(partial_claim(parts, 50 * MIB, 51 * MIB, CLAIM_HERE, 1000), "100 MB a second");
    cr_expect_null(partial_claim(parts, MIB, 2 * MIB, CLAIM_HERE, 3000), "a megabyte is near");
    cr_expect_null(partial_claim(parts, 50 * MIB, 51 * MIB, CLAIM_AHEAD, 3000), "nobody waits");
    struct piece *here = partial_claim(parts, 50 * MIB, 51 * MIB, CLAIM_HERE, 3000);
    cr_assert_not_null(here, "50 kB a second");
    cr_expect_not(partial_is_settled(parts));
    expect_range(partial_range(parts, slow), 0, 100 * MIB); /* the origin has not said anything */
    expect_range(partial_range(parts, here), 50 * MIB, 51 * MIB);
    struct spool *other = begin(parts, here, 10);
    expect_range(partial_range(parts, slow), 0, 50 * MIB);
    expect_range(partial_range(parts, here), 50 * MIB, 51 * MIB);
    struct piece *rest = partial_claim(parts, 0, UINT64_MAX, CLAIM_AHEAD, 3000);
    expect_range(partial_range(parts, rest), 51 * MIB, 59 * MIB); /* no more at once */
    spool_end(spool, ERR_CLOSED);
    spool_end(other, ERR_CLOSED);
    piece_unref(&slow);
    piece_unref(&here);
    piece_unref(&rest);
    partial_unref(&parts);
}

Test(partial, an_overlap_that_is_refused_changes_nothing)
{
    struct overlap o = overlap_at(50 * MIB, 51 * MIB);

    cr_expect(partial_is_overlap(o.parts, o.here));
    partial_forget(o.parts, o.here);
    expect_range(partial_range(o.parts, o.slow), 0, 100 * MIB);
    cr_expect(partial_covers(o.parts, 0, 100 * MIB, true));
    cr_expect_null(partial_claim(o.parts, 50 * MIB, 51 * MIB, CLAIM_HERE, 4000), "just refused");
    cr_expect_null(partial_claim(o.parts, 70 * MIB, 71 * MIB, CLAIM_HERE, 4000), "just refused");
    struct piece *again = partial_claim(o.parts, 50 * MIB, 51 * MIB, CLAIM_HERE, 30000);
    cr_expect_not_null(again, "a while later");
    piece_unref(&again);
    overlap_end(&o);
}

Test(partial, an_overlap_of_what_has_died_does_not_cut_it)
{
    struct overlap o = overlap_at(50 * MIB, 51 * MIB);
    static const struct http_fields none = {0};
    static const struct freshness freshness = {0};
    struct http_head head = {.status = 206};
    struct object *object = object_new(&key, &head, &none, &freshness, NULL);

    partial_kill(o.parts);
    cr_expect_not(partial_arrives(o.parts, o.here, object, 3000), "the rest could not be joined");
    expect_range(partial_range(o.parts, o.slow), 0, 100 * MIB);
    cr_expect(partial_comes_late(o.parts, 50 * MIB, 3000), "who waits for that asks anew");
    cr_expect_not(partial_comes_late(o.parts, MIB, 3000));
    partial_forget(o.parts, o.here);
    object_unref(&object);
    overlap_end(&o);
}

Test(partial, overlaps_do_not_overlap_each_other)
{
    struct overlap o = overlap_at(50 * MIB, 60 * MIB);

    expect_range(partial_range(o.parts, o.here), 50 * MIB, 58 * MIB);
    cr_expect_null(partial_claim(o.parts, 51 * MIB, 70 * MIB, CLAIM_HERE, 3000), "on its way");
    struct piece *before = partial_claim(o.parts, 49 * MIB, 70 * MIB, CLAIM_HERE, 3000);
    struct piece *behind = partial_claim(o.parts, 99 * MIB, 200 * MIB, CLAIM_HERE, 3000);
    expect_range(partial_range(o.parts, before), 49 * MIB, 50 * MIB);
    expect_range(partial_range(o.parts, behind), 99 * MIB, 100 * MIB);

    /* It ends between them: then those behind it are claims like any other. */
    partial_ends(o.parts, o.slow, 100000);
    cr_expect_not(partial_is_overlap(o.parts, o.here) || partial_is_overlap(o.parts, behind));
    struct piece *rest = partial_claim(o.parts, 0, UINT64_MAX, CLAIM_AHEAD, 3000);
    expect_range(partial_range(o.parts, rest), 100000, 100000 + CLAIM_MAX);
    cr_expect(partial_covers(o.parts, 49 * MIB, 58 * MIB, true));
    piece_unref(&before);
    piece_unref(&behind);
    piece_unref(&rest);
    overlap_end(&o);
}

Test(partial, a_piece_of_which_nothing_comes_is_cut_after_a_while)
{
    struct partial *parts = parts_of(100 * MIB, true);
    struct piece *stuck = partial_claim_all(parts, 0, 100 * MIB);
    struct spool *spool = begin(parts, stuck, 0);

    cr_expect_null(partial_claim(parts, 50 * MIB, 51 * MIB, CLAIM_HERE, 1400));
    struct piece *here = partial_claim(parts, 50 * MIB, 51 * MIB, CLAIM_HERE, 1600);
    cr_expect_not_null(here);
    spool_end(spool, ERR_CLOSED);
    piece_unref(&stuck);
    piece_unref(&here);
    partial_unref(&parts);
}

Test(partial, pauses_grow_until_bytes_come)
{
    static const uint64_t pauses[] = {500, 1000, 2000, 4000, 8000, 8000};
    struct partial *parts = parts_of(1000, true);

    cr_expect_eq(partial_pause(parts, 1000), 0);
    for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
        partial_failed(parts, 1000, 0);
        cr_expect_eq(partial_pause(parts, 1000), pauses[i]);
        cr_expect_eq(partial_pause(parts, 1000 + pauses[i]), 0);
    }
    partial_failed(parts, 100000, 20000);
    cr_expect_eq(partial_pause(parts, 100000), 20000, "the origin wishes for more");
    fill(parts, 0, 10);
    partial_failed(parts, 200000, 100);
    cr_expect_eq(partial_pause(parts, 200000), 500, "or for less");
    partial_unref(&parts);
}

/* RFC 9111 3.4: only with the same strong validator. */
Test(partial, without_a_strong_validator_there_is_one_piece)
{
    struct partial *parts = parts_of(100, false);
    struct partial_reader reader;
    struct partial_view view;

    cr_expect_null(partial_claim(parts, 0, 100, CLAIM_HERE, 1000), "nobody can ask for it");
    struct piece *piece = partial_claim_all(parts, 10, 20);
    bring(parts, piece, 10);
    cr_expect_null(partial_claim(parts, 0, 100, CLAIM_HERE, 1000));
    cr_expect_null(partial_claim_all(parts, 50, 60));
    partial_forget(parts, piece);
    partial_join(parts, &reader, (struct piece_range){10, 20}, (struct waker){count_wake, NULL});
    cr_expect_eq(partial_look(parts, &reader, 10, &view), PARTIAL_DEAD);
    partial_leave(parts, &reader);
    piece_unref(&piece);
    partial_unref(&parts);
}

Test(partial, what_only_passes_is_not_here)
{
    static const struct http_fields none = {0};
    static const struct freshness freshness = {0};
    struct http_head head = {.status = 206, .framing = BODY_LENGTH, .content_length = 10};
    struct partial *parts = parts_of(100, true);
    struct piece *piece = partial_claim(parts, 0, 10, CLAIM_HERE, 1000);
    struct spool *spool = spool_new(&(struct spool_options){.expected = 10, .limit = MIB});
    struct object *object = object_new(&key, &head, &none, &freshness, spool);
    struct piece_range range;

    partial_arrives(parts, piece, object, 1000);
    spool_append(spool, SPAN("0123456789"));
    partial_held(parts, piece, 10);
    spool_end(spool, 0);
    cr_expect(partial_covers(parts, 0, 10, true));
    cr_expect_not(partial_covers(parts, 0, 10, false));
    cr_expect_eq(partial_ranges(parts, &range, 1), 0);
    object_unref(&object);
    piece_unref(&piece);
    partial_unref(&parts);
}

Test(partial, where_ranges_are_ignored_all_is_asked_for_at_once)
{
    struct partial *parts = parts_of(100 * MIB, true);

    struct piece *piece = partial_claim(parts, MIB, UINT64_MAX, CLAIM_HERE, 1000);
    expect_range(partial_range(parts, piece), MIB, MIB + CLAIM_MAX);
    partial_ignores_ranges(parts);
    partial_forget(parts, piece);
    piece_unref(&piece);
    piece = partial_claim(parts, MIB, UINT64_MAX, CLAIM_HERE, 1000);
    expect_range(partial_range(parts, piece), MIB, 100 * MIB);
    piece_unref(&piece);
    partial_unref(&parts);
}

Test(partial, what_comes_unasked_must_be_all_new)
{
    struct partial *parts = parts_of(100, true);
    struct piece *piece = partial_claim_all(parts, 10, 20);

    cr_assert_not_null(piece);
    cr_expect_null(partial_claim_all(parts, 0, 11));
    cr_expect_null(partial_claim_all(parts, 19, 30));
    cr_expect_null(partial_claim_all(parts, 12, 15));
    cr_expect_null(partial_claim_all(parts, 90, 101));
    cr_expect_null(partial_claim_all(parts, 30, 30));
    piece_unref(&piece);
    partial_unref(&parts);
}

/* ---- reading ---- */

static struct object *object_of(struct partial *parts)
{
    static const struct http_fields none = {0};
    static const struct freshness freshness = {0};
    struct http_head head = {.status = 200};

    return object_new_partial(&key, &head, &none, &freshness, parts);
}

/* Reads until it must wait or ends; checks each byte; returns what peek said last. */
static int drink(struct object_reader *reader, uint64_t *offset)
{
    struct span span;
    int err;

    while ((err = source_peek(&reader->source, &span)) == 0 && span.len > 0) {
        cr_assert_eq(span.at[0], byte_at(*offset));
        cr_assert_eq(span.at[span.len - 1], byte_at(*offset + span.len - 1));
        source_advance(&reader->source, span.len);
        *offset += span.len;
    }
    return err;
}

Test(partial, a_reader_goes_from_piece_to_piece_and_says_where_one_is_missing)
{
    struct partial *parts = parts_of(1000, true);
    struct object *object = object_of(parts);
    struct object_reader reader;
    uint64_t offset = 50, from, to;

    fill(parts, 0, 100);
    fill(parts, 200, 300);
    cr_assert_eq(object_reader_init(&reader, object, 50, 250, (struct waker){count_wake, NULL}), 0);
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    cr_expect_eq(offset, 100);
    cr_assert(object_reader_waits(&reader, &from, &to));
    cr_expect(from == 100 && to == 250);
    cr_expect_eq(wakes, 1, "who owns the reader is told of the hole");
    fill(parts, 100, 250);
    cr_expect_gt(wakes, 1, "and when something has changed");
    cr_expect_eq(drink(&reader, &offset), 0);
    cr_expect_eq(offset, 250);
    cr_expect_not(object_reader_waits(&reader, &from, &to));
    object_reader_fini(&reader);
    object_unref(&object);
}

Test(partial, of_a_hole_its_owner_is_told_once)
{
    struct partial *parts = parts_of(1000, true);
    struct object *object = object_of(parts);
    struct object_reader reader;
    struct span bytes;

    cr_assert_eq(object_reader_init(&reader, object, 0, 300, (struct waker){count_wake, NULL}), 0);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(source_peek(&reader.source, &bytes), ERR_AGAIN);
        cr_expect_eq(wakes, 1, "to look is no reason to look again");
    }
    struct piece *piece = partial_claim(parts, 0, 300, CLAIM_HERE, 1000);
    cr_expect_eq(wakes, 2, "somebody fetches it");
    cr_expect_eq(source_peek(&reader.source, &bytes), ERR_AGAIN);
    partial_forget(parts, piece);
    int before = wakes;
    cr_expect_eq(before, 3, "and has given it up");
    cr_expect_eq(source_peek(&reader.source, &bytes), ERR_AGAIN);
    cr_expect_eq(wakes, before + 1, "so it is a hole again");
    object_reader_fini(&reader);
    piece_unref(&piece);
    object_unref(&object);
}

Test(partial, who_waits_far_ahead_reads_the_overlap_as_soon_as_it_comes)
{
    struct overlap o = overlap_at(50 * MIB, 51 * MIB);
    struct object *object = object_of(partial_ref(o.parts));
    struct object_reader reader;
    struct span bytes;

    cr_assert_eq(
        object_reader_init(&reader, object, 50 * MIB, 51 * MIB, (struct waker){count_wake, NULL}),
        0);
    cr_expect_eq(source_peek(&reader.source, &bytes), ERR_AGAIN, "it will come");
    int before = wakes;
    struct spool *spool = begin(o.parts, o.here, 10);
    cr_expect_gt(wakes, before);
    uint64_t offset = 50 * MIB;
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    cr_expect_eq(offset, 50 * MIB + 10);
    object_reader_fini(&reader);
    object_unref(&object);
    spool_end(spool, ERR_CLOSED);
    overlap_end(&o);
}

/* The origin is silent from there on: nothing else would end the piece. */
Test(partial, who_waits_where_a_piece_was_cut_goes_on_when_it_has_come_so_far)
{
    struct overlap o = overlap_at(2 * MIB, 3 * MIB);
    struct object *object = object_of(partial_ref(o.parts));
    struct object_reader reader;
    struct span bytes;
    uint64_t offset = 2 * MIB;

    cr_assert_eq(
        object_reader_init(&reader, object, offset, 3 * MIB, (struct waker){count_wake, NULL}), 0);
    cr_expect_eq(source_peek(&reader.source, &bytes), ERR_AGAIN);
    struct spool *spool = begin(o.parts, o.here, 10);
    append(o.spool, 100000, offset);
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    cr_expect_eq(offset, 2 * MIB + 10);
    object_reader_fini(&reader);
    object_unref(&object);
    spool_end(spool, ERR_CLOSED);
    overlap_end(&o);
}

/* Who asked for two pieces leaves before the second one: that one has paused for its first reader.
 */
Test(partial, who_brings_a_piece_is_told_when_nobody_is_left_who_would_read_it)
{
    struct partial *parts = parts_of(1000, true);
    struct object *object = object_of(parts);
    struct object_reader first, second;
    struct span bytes;

    fill(parts, 0, 100);
    struct piece *piece = partial_claim(parts, 100, 1000, CLAIM_AHEAD, 1000);
    struct spool *spool = paused(parts, piece);
    cr_assert_eq(object_reader_init(&first, object, 0, 200, (struct waker){0}), 0);
    cr_assert_eq(object_reader_init(&second, object, 50, 200, (struct waker){0}), 0);
    cr_expect_eq(source_peek(&first.source, &bytes), 0);
    object_reader_fini(&first);
    cr_expect_eq(wakes, 0, "the other one will come");
    object_reader_fini(&second);
    cr_expect_eq(wakes, 1);
    spool_end(spool, ERR_CLOSED);
    piece_unref(&piece);
    object_unref(&object);
}

/* The reader has the bytes from a piece that others take for a hole by then. */
Test(partial, who_brings_a_piece_is_told_when_its_last_reader_passes_it_by)
{
    struct partial *parts = parts_of(1000, true);
    struct object *object = object_of(parts);
    struct object_reader reader;
    struct span bytes;
    uint64_t offset = 0;

    struct piece *first = partial_claim(parts, 0, 100, CLAIM_HERE, 1000);
    bring(parts, first, 100);
    cr_assert_eq(object_reader_init(&reader, object, 0, 200, (struct waker){0}), 0);
    cr_expect_eq(source_peek(&reader.source, &bytes), 0);
    partial_forget(parts, first);
    struct piece *again = partial_claim(parts, 0, 100, CLAIM_HERE, 1000);
    struct piece *next = partial_claim(parts, 100, 200, CLAIM_HERE, 1000);
    struct spool *spool = paused(parts, again);
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    cr_expect_eq(offset, 100);
    cr_expect_eq(wakes, 1);
    object_reader_fini(&reader);
    spool_end(spool, ERR_CLOSED);
    piece_unref(&first);
    piece_unref(&again);
    piece_unref(&next);
    object_unref(&object);
}

/* Many may keep up with a slow origin, while others ask for other parts. */
Test(partial, who_keeps_up_with_a_piece_is_not_woken_by_other_claims)
{
    struct partial *parts = parts_of(100 * MIB, true);
    struct object *object = object_of(parts);
    struct piece *slow = partial_claim(parts, 0, 50 * MIB, CLAIM_HERE, 1000);
    struct spool *spool = begin(parts, slow, 1000);
    struct object_reader reader;
    uint64_t offset = 0;

    cr_assert_eq(object_reader_init(&reader, object, 0, 50 * MIB, (struct waker){count_wake, NULL}),
                 0);
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    wakes = 0;
    struct piece *other = partial_claim(parts, 60 * MIB, 61 * MIB, CLAIM_HERE, 1000);
    cr_expect_eq(wakes, 0);
    append(spool, 1000, 1001);
    cr_expect_eq(wakes, 1);
    object_reader_fini(&reader);
    spool_end(spool, ERR_CLOSED);
    piece_unref(&slow);
    piece_unref(&other);
    object_unref(&object);
}

Test(partial, what_breaks_off_far_before_a_byte_leaves_a_hole_there)
{
    struct overlap o = overlap_at(50 * MIB, 51 * MIB);
    struct object *object = object_of(partial_ref(o.parts));
    struct object_reader reader;
    struct span bytes;
    uint64_t from, to;

    cr_assert_eq(
        object_reader_init(&reader, object, 40 * MIB, 41 * MIB, (struct waker){count_wake, NULL}),
        0);
    cr_expect_eq(source_peek(&reader.source, &bytes), ERR_AGAIN);
    partial_held(o.parts, o.slow, 100000);
    spool_end(o.spool, ERR_TRUNCATED);
    cr_expect_eq(source_peek(&reader.source, &bytes), ERR_AGAIN, "somebody must fetch it");
    cr_expect(object_reader_waits(&reader, &from, &to) && from == 40 * MIB);
    object_reader_fini(&reader);
    object_unref(&object);
    piece_unref(&o.slow);
    piece_unref(&o.here);
    partial_unref(&o.parts);
}

Test(partial, a_reader_goes_on_in_other_parts)
{
    struct partial *parts = parts_of(1000, true);
    struct partial *own = parts_of(1000, true);
    struct object *object = object_of(parts), *alone = object_of(own);
    struct object_reader reader;
    uint64_t offset = 0, from, to;

    fill(parts, 0, 100);
    cr_assert_eq(object_reader_init(&reader, object, 0, 300, (struct waker){count_wake, NULL}), 0);
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    object_reader_go_on(&reader, alone);
    fill(parts, 100, 200);
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    cr_assert(object_reader_waits(&reader, &from, &to));
    cr_expect(from == 100 && to == 300);
    fill(own, 100, 300);
    cr_expect_eq(drink(&reader, &offset), 0);
    cr_expect_eq(offset, 300);
    cr_expect_not(partial_covers(parts, 200, 300, true));
    object_reader_fini(&reader);
    object_unref(&object);
    object_unref(&alone);
}

Test(partial, a_piece_that_ends_early_leaves_a_hole)
{
    struct partial *parts = parts_of(1000, true);
    struct object *object = object_of(parts);
    struct piece *piece = partial_claim(parts, 0, 1000, CLAIM_HERE, 1000);
    struct object_reader reader;
    uint64_t offset = 0, from, to;

    cr_assert_eq(object_reader_init(&reader, object, 0, 1000, (struct waker){count_wake, NULL}), 0);
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    bring(parts, piece, 400);
    cr_expect_eq(drink(&reader, &offset), ERR_AGAIN);
    cr_expect_eq(offset, 400);
    cr_expect(object_reader_waits(&reader, &from, &to));
    partial_kill(parts);
    cr_expect_eq(drink(&reader, &offset), ERR_NOT_FOUND, "nobody ever will");
    object_reader_fini(&reader);
    piece_unref(&piece);
    object_unref(&object);
}

Test(partial, who_wants_bytes_of_a_piece_is_known)
{
    struct partial *parts = parts_of(1000, true);
    struct object *object = object_of(parts);
    struct piece *piece = partial_claim(parts, 0, 500, CLAIM_HERE, 1000);
    struct object_reader reader;

    cr_expect_not(partial_is_wanted(parts, piece));
    cr_assert_eq(object_reader_init(&reader, object, 500, 600, (struct waker){count_wake, NULL}),
                 0);
    cr_expect_not(partial_is_wanted(parts, piece));
    object_reader_fini(&reader);
    cr_assert_eq(object_reader_init(&reader, object, 499, 600, (struct waker){count_wake, NULL}),
                 0);
    cr_expect(partial_is_wanted(parts, piece));
    object_reader_fini(&reader);
    piece_unref(&piece);
    object_unref(&object);
}

/* ---- the table of pieces ---- */

/* format 1, flags, version 7, length 1000, pieces */
static size_t make_table(char *at, uint32_t flags, const struct piece_range *rows, size_t count)
{
    uint32_t words[2] = {1, flags};
    uint64_t longs[2] = {7, 1000};

    memcpy(at, words, 8);
    memcpy(at + 8, longs, 16);
    memcpy(at + 24, rows, count * sizeof(*rows));
    return 24 + count * sizeof(*rows);
}

Test(partial, a_table_is_read_as_if_the_disk_lied)
{
    static const struct {
        const char *what;
        uint32_t flags;
        struct piece_range rows[2];
        size_t count;
        bool good;
    } cases[] = {
        {"none", 1, {{0, 0}}, 0, true},
        {"two", 1, {{0, 10}, {10, 1000}}, 2, true},
        {"overlapping", 1, {{0, 10}, {9, 20}}, 2, false},
        {"out of order", 1, {{10, 20}, {0, 5}}, 2, false},
        {"empty piece", 1, {{10, 10}}, 1, false},
        {"backwards", 1, {{10, 5}}, 1, false},
        {"behind the end", 1, {{990, 1001}}, 1, false},
        {"two that cannot be joined", 0, {{0, 10}, {20, 30}}, 2, false},
        {"one that cannot", 0, {{0, 10}}, 1, true},
        {"no such flag", 4, {{0, 10}}, 1, false},
        {"all flags", 3, {{0, 10}}, 1, true},
    };
    struct partial_options options = {.key = &key, .secret = &secret};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char bytes[64];
        size_t size = make_table(bytes, cases[i].flags, cases[i].rows, cases[i].count);
        struct partial *parts = partial_decode(&options, span_of(bytes, size));
        cr_expect_eq(parts != NULL, cases[i].good, "%s", cases[i].what);
        if (parts) {
            struct buf again = BUF_INIT;
            partial_encode(parts, &again);
            cr_expect(span_eq(buf_span(&again), span_of(bytes, size)), "%s", cases[i].what);
            buf_fini(&again);
        }
        partial_unref(&parts);
        cr_expect_null(partial_decode(&options, span_of(bytes, size - 1)), "%s", cases[i].what);
    }
}
