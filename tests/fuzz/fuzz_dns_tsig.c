/* A message with a signature, or without: it is judged, and answered as it says; and whatever the
 * bytes are, what is signed here is good here, and is not with another byte. */
#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/message/packet.h"
#include "dnsredir/message/tsig.h"

#define NOW 1700000000u

static struct tsig_key key;
static const struct tsig_keys keys = {&key, 1};

static void make_key(void)
{
    const char *what;

    CHECK(name_parse_absolute(SPAN("k"), &key.name) == 0);
    CHECK(tsig_secret_parse(SPAN("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), &key.secret,
                            &what) == 0);
}

static void judge(struct span message)
{
    uint8_t reply_room[DNS_HEADER_LEN + TSIG_BADKEY_LEN_MAX] = {0};
    struct tsig_reply reply;
    struct query query;

    if (message_read(message, &query) != RCODE_NOERROR || !query.tsig_at) {
        return;
    }
    unsigned rcode = tsig_check(&keys, message, query.tsig_at, NOW, &reply);
    CHECK(reply.good == (rcode == RCODE_NOERROR));
    CHECK(reply.len <= (reply.key ? TSIG_LEN_MAX : TSIG_BADKEY_LEN_MAX));
    size_t len = tsig_sign(&reply, reply_room, DNS_HEADER_LEN, NOW);
    CHECK(len == DNS_HEADER_LEN + reply.len);
    if (reply.key) {
        CHECK(tsig_is_answer(&key, span_of(reply_room, len), DNS_HEADER_LEN,
                             span_of(reply.mac, reply.mac_len)));
    }
}

static void sign_and_check(const uint8_t *data, size_t size)
{
    uint8_t *room = xmalloc(size + TSIG_LEN_MAX);
    struct tsig_reply reply;

    memcpy(room, data, size);
    room[10] = 0;
    size_t len = tsig_sign_query(&key, room, size, NOW, TSIG_FUDGE, NULL, NULL);
    CHECK(tsig_check(&keys, span_of(room, len), size, NOW, &reply) == RCODE_NOERROR);
    room[2 + data[0] % (size - 2)] ^= 1;
    CHECK(tsig_check(&keys, span_of(room, len), size, NOW, &reply) == RCODE_NOTAUTH);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsig_secret secret;
    const char *what;

    if (key.secret.len == 0) {
        make_key();
    }
    tsig_secret_parse_file(span_of(data, size), &secret, &what);
    if (size < 60000) {
        judge(span_of(data, size));
    }
    if (size >= DNS_HEADER_LEN && size < 60000) {
        sign_and_check(data, size);
    }
    return 0;
}
