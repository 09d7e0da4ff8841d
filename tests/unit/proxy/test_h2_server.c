#include "base/err.h"
#include "base/touch.h"
#include "proxy/stream/h2.h"
#include "tests/lib/owner.h"
#include "tests/lib/peer.h"

#include <criterion/criterion.h>

/* ---- the connection under test, and the client, which speaks frames ---- */

enum { REQUESTS_MAX = 128, BODY = 20000 };

static struct loop *loop;
static struct peer peer;
static struct h2 *h2;
static struct h2_settings settings;
static struct owner requests[REQUESTS_MAX];
static size_t request_count;
static char why[128];
static int offences, broken;
static bool all_break, is_narrow;

static const char readable[BODY] = {'r'}, unreadable[BODY] = {'u'};

/* The first request gets what cannot be read, and the others, too, or what can. */
static void answer(struct owner *owner)
{
    static struct source_memory body[REQUESTS_MAX];
    struct source_memory *source = &body[owner - requests];
    struct test_head made;

    source_memory_init(source,
                       span_of(owner == requests || all_break ? unreadable : readable, BODY));
    test_response(&made, 200, BODY_LENGTH, BODY);
    stream_send(owner->stream, &made.head, &source->source);
    test_head_fini(&made);
}

static void on_stream(void *owner, struct stream *stream)
{
    cr_assert_lt(request_count, (size_t)REQUESTS_MAX);
    struct owner *request = &requests[request_count++];

    owner_init(request, stream);
    request->act = answer;
    request->acts_in = 'e';
}

static void on_offence(void *owner, enum h2_offence offence, struct span reason)
{
    offences++;
    cr_expect_eq(offence, H2_OFFENCE_PROTOCOL);
    cr_assert_lt(reason.len, sizeof(why));
    memcpy(why, reason.at, reason.len);
}

static void on_broken(void *owner)
{
    broken++;
}

static void on_gone(void *owner)
{
    h2 = NULL;
}

static int touch_one(struct span bytes)
{
    return bytes.at >= unreadable && bytes.at < unreadable + BODY ? -EIO : 0;
}

/* `rest`: behind the preface. */
static void serve(const char *rest, size_t len)
{
    static const struct h2_events events = {
        .on_stream = on_stream,
        .on_offence = on_offence,
        .on_broken = on_broken,
        .on_gone = on_gone,
    };
    struct transport *transport;

    peer_pair(&peer, loop, &transport, is_narrow);
    h2 = h2_serve(transport, SPAN_EMPTY, &settings, &events, NULL);
    cr_assert(peer_say(&peer, H2_PREFACE));
    cr_assert(peer_send(&peer, span_of(rest, len)));
}

static void setup(void)
{
    cr_assert_eq(loop_new(&loop), 0);
    settings = (struct h2_settings){.limits = h1_default_limits, .streams = 8};
}

static void teardown(void)
{
    h2_close(&h2);
    for (size_t i = 0; i < request_count; i++) {
        owner_fini(&requests[i]);
    }
    peer_fini(&peer);
    loop_free(&loop);
}

TestSuite(h2_server, .init = setup, .fini = teardown);

#define SETTINGS "\0\0\0\4\0\0\0\0\0"
/* GET / of the authority "o" by scheme http: indexed but for the authority. */
#define GET(id) "\0\0\6\1\5\0\0\0" id "\x82\x86\x84\x41\1o"

enum { DATA = 0, RST_STREAM = 3, GOAWAY = 7, FRAME_HEAD = 9, INTERNAL_ERROR = 2 };

/* Cuts a frame off that has come completely; NULL: there is none. */
static const unsigned char *next_frame(struct span *rest, size_t *len)
{
    const unsigned char *at = (const unsigned char *)rest->at;

    if (rest->len < FRAME_HEAD) {
        return NULL;
    }
    *len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
    if (rest->len < FRAME_HEAD + *len) {
        return NULL;
    }
    *rest = span_skip(*rest, FRAME_HEAD + *len);
    return at;
}

/* Bytes of DATA on a stream, -1: it was reset with INTERNAL_ERROR. */
static int heard_of(char id)
{
    struct span rest = buf_span(&peer.got);
    int bytes = 0;
    size_t len;

    for (const unsigned char *at; (at = next_frame(&rest, &len));) {
        if (at[8] == (unsigned char)id && at[3] == RST_STREAM) {
            return at[12] == INTERNAL_ERROR ? -1 : -2;
        }
        bytes += at[8] == (unsigned char)id && at[3] == DATA ? (int)len : 0;
    }
    return bytes;
}

/* How many frames of this type have come. */
static int count_of(unsigned char type)
{
    struct span rest = buf_span(&peer.got);
    int count = 0;
    size_t len;

    for (const unsigned char *at; (at = next_frame(&rest, &len));) {
        count += at[3] == type;
    }
    return count;
}

static bool hears(char id, int bytes)
{
    return LOOP_UNTIL(loop, (peer_read(&peer, 65536),
                             heard_of(id) == bytes || peer.is_eof || peer.is_reset)) &&
           heard_of(id) == bytes;
}

/* ---- bodies ---- */

Test(h2_server, a_body_whose_disk_fails_ends_its_stream_alone)
{
    static const char requests_of_two[] = SETTINGS GET("\1") GET("\3");

    touch_set(touch_one);
    serve(requests_of_two, sizeof(requests_of_two) - 1);
    cr_assert(hears('\3', BODY), "the other one is whole");
    cr_assert(hears('\1', -1), "RST_STREAM with INTERNAL_ERROR");
    cr_assert(LOOP_UNTIL(loop, requests[0].is_closed && requests[1].is_closed));
    cr_expect_eq(requests[0].err, ERR_TRUNCATED);
    cr_expect_eq(requests[1].err, 0);
    cr_expect_eq(broken, 1, "it is counted");
    cr_expect_eq(offences, 0);
}

/* Whose disk it is does not matter to the streams beside them: it is not the client's. */
Test(h2_server, streams_that_all_break_are_no_offence)
{
    enum { MANY = 110, FRAME = sizeof(GET("\1")) - 1 };
    char text[sizeof(SETTINGS) - 1 + MANY * FRAME];
    char *at = text;

    touch_set(touch_one);
    all_break = true;
    settings.streams = REQUESTS_MAX;
    memcpy(at, SETTINGS, sizeof(SETTINGS) - 1);
    at += sizeof(SETTINGS) - 1;
    for (unsigned i = 0; i < MANY; i++, at += FRAME) {
        memcpy(at, GET("\1"), FRAME);
        at[7] = (char)(unsigned char)((2 * i + 1) >> 8);
        at[8] = (char)(unsigned char)(2 * i + 1);
    }
    serve(text, sizeof(text));
    cr_assert(LOOP_UNTIL(loop, (peer_read(&peer, 65536), broken == MANY)));
    cr_assert(hears((char)(unsigned char)(2 * MANY - 1), -1));
    cr_expect_eq(offences, 0);
    cr_expect_not_null(h2);
}

/* ---- the end of responses, which is queued when their streams are over ---- */

static const char three_gets[] = SETTINGS GET("\1") GET("\3") GET("\5");

static bool client_gets_all(void)
{
    return hears('\1', BODY) && hears('\3', BODY) && hears('\5', BODY);
}

Test(h2_server, who_still_takes_the_last_response_is_not_idle)
{
    settings.times.idle_ms = 1500;
    settings.times.body_ms = 10000;
    is_narrow = true;
    serve(three_gets, sizeof(three_gets) - 1);
    peer_sip(&peer, 3500);
    cr_expect(requests[2].is_closed, "the streams are over");
    cr_expect(client_gets_all());
    cr_expect_eq(count_of(GOAWAY), 0);
    cr_expect(LOOP_UNTIL(loop, (peer_read(&peer, 65536), count_of(GOAWAY) > 0)), "then it is idle");
}

Test(h2_server, the_last_responses_of_all_may_be_taken_slowly)
{
    settings.times.body_ms = 2000;
    is_narrow = true;
    serve(three_gets, sizeof(three_gets) - 1);
    cr_assert(LOOP_UNTIL(loop, request_count == 3 && requests[2].is_closed));
    h2_drain(h2);
    peer_sip(&peer, 3500);
    cr_expect(client_gets_all());
    cr_expect_gt(count_of(GOAWAY), 0);
}

/* ---- reasons ---- */

Test(h2_server, goaway_says_what_was_wrong_rfc9113_6_8)
{
    static const char update_of_nothing[] = SETTINGS "\0\0\4\x08\0\0\0\0\1\0\0\0\1";

    serve(update_of_nothing, sizeof(update_of_nothing) - 1);
    cr_assert(peer_hears_close(&peer));
    cr_expect_eq(offences, 1);
    cr_expect(strstr(why, "WINDOW_UPDATE"), "%s", why);
    cr_expect(peer_got(&peer, why), "the client is told the same");
}

Test(h2_server, a_broken_preface_has_a_reason_rfc9113_3_4)
{
    static const char ping_first[] = "\0\0\x08\6\0\0\0\0\0abcdefgh";

    serve(ping_first, sizeof(ping_first) - 1);
    cr_assert(peer_hears_close(&peer));
    cr_expect_eq(offences, 1);
    cr_expect(strlen(why) > 1 && peer_got(&peer, why), "%s", why);
}
