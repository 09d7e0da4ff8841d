/* A message that came back from the recursor: whatever it is, the response is one that our own
 * reader takes, and as large as the client may have it. The first byte says who asks, and how. */
#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/resolver/resolved.h"

static const uint8_t plain[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\1A\7example\3org\0\0\1\0\1";
static const uint8_t edns[] = "\x12\x34\1\x10\0\1\0\0\0\0\0\1\1A\7example\3org\0\0\1\0\1"
                              "\0\0\x29\4\xd0\0\0\x80\0\0\0";
static const uint8_t chain[] = "\xc0\x0c\0\5\0\1\0\0\0\1\0\2\xc0\x0c";

/* Every record of the response, by our reader. */
static void check_response(struct span packet)
{
    struct wire_in in = wire_in_of(packet.at, packet.len);
    struct name name;
    uint32_t records = 0;

    wire_get(&in, 4);
    CHECK(wire_get_u16(&in) == 1);
    for (int i = 0; i < SECTIONS; i++) {
        records += wire_get_u16(&in);
    }
    CHECK(name_read(&in, &name) == 0);
    wire_get(&in, 4);
    for (; records; records--) {
        CHECK(name_read(&in, &name) == 0);
        wire_get(&in, 8);
        wire_get(&in, wire_get_u16(&in));
        CHECK(!in.failed);
    }
    CHECK(wire_left(&in) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[DNS_MESSAGE_MAX];
    static uint8_t scratch[RESOLVED_SCRATCH];
    uint8_t how = size ? data[0] : 0;
    struct client client = {.tcp = how & 1};
    struct deferral deferral = {.type = TYPE_A, .opt = {.ede = EDE_NONE}};
    struct answer_note note = {0};
    struct span packet =
        how & 2 ? span_of(edns, sizeof(edns) - 1) : span_of(plain, sizeof(plain) - 1);

    if (size == 0) {
        return 0;
    }
    CHECK(name_parse_absolute(SPAN("a.example.org"), &deferral.name) == 0);
    if (how & 4) {
        deferral.chain_count = 1;
        deferral.chain_len = sizeof(chain) - 1;
    }
    struct unresolved *query = unresolved_new(&client, &deferral, &note, packet, chain);
    struct resolution resolution = {
        .message = span_of(data + 1, size - 1),
        .rcode = how >> 4 & 3,
        .secure = how & 8,
        .bogus = how & 64,
        .ede = EDE_NONE,
    };
    size_t len = resolved_write(query, &resolution, room, scratch, &note);
    CHECK(client.tcp || len <= (how & 2 ? DNS_UDP_MAX : DNS_UDP_PLAIN));
    check_response(span_of(room, len));
    free(query);
    return 0;
}
