#include "dialogue.h"

#include "base/err.h"

#include <criterion/criterion.h>

#define HEADER(questions, answers, authorities, additionals)                                       \
    HEADER_OF("\0", questions, answers, authorities, additionals)
/* The opcode with the bits beside it. */
#define HEADER_OF(opcode, questions, answers, authorities, additionals)                            \
    "\x12\x34" opcode "\0\0" questions "\0" answers "\0" authorities "\0" additionals
#define WWW "\3www\2ex\0\0\1\0\1"
/* OPT up to the length of its data. */
#define OPT "\0\0\x29\x04\xd0\0\0\0\0"

static struct dialogue d;

static void set_up(void)
{
    dialogue_init(&d, "zones: [{name: ex, nameservers: [ns.test], soa: {serial: 1}, names: [{name: "
                      "www, records: [\"A 192.0.2.1\"]}]}]\n");
}

static void tear_down(void)
{
    dialogue_fini(&d);
}

TestSuite(packet, .init = set_up, .fini = tear_down);

#define GOOD "NOERROR aa | www.ex. 3600 A 192.0.2.1"

Test(packet, rfc1035_4_1)
{
    const struct packet_row rows[] = {
        {"nothing", SPAN(""), "nothing"},
        {"eleven bytes", SPAN("\x12\x34\0\0\0\1\0\0\0\0\0"), "nothing"},
        {"a header alone", SPAN(HEADER("\0", "\0", "\0", "\0")), "FORMERR"},
        {"a good query", SPAN(HEADER("\1", "\0", "\0", "\0") WWW), GOOD},
        {"no question where one is announced", SPAN(HEADER("\1", "\0", "\0", "\0")), "FORMERR"},
        {"two questions", SPAN(HEADER("\2", "\0", "\0", "\0") WWW WWW), "FORMERR"},
        {"two questions with OPT", SPAN(HEADER("\2", "\0", "\0", "\1") WWW WWW OPT "\0\0"),
         "FORMERR | edns"},
        {"half a second question", SPAN(HEADER("\2", "\0", "\0", "\1") WWW "\3www\2e"), "FORMERR"},
        {"an answer in the query, with OPT",
         SPAN(HEADER("\1", "\1", "\0", "\1") WWW WWW "\0\0\0\0\0\0" OPT "\0\0"), "FORMERR | edns"},
        {"a question not announced", SPAN(HEADER("\0", "\0", "\0", "\0") WWW), "FORMERR"},
        {"bytes behind the end", SPAN(HEADER("\1", "\0", "\0", "\0") WWW "x"), "FORMERR"},
        {"a class cut off", SPAN(HEADER("\1", "\0", "\0", "\0") "\3www\2ex\0\0\1\0"), "FORMERR"},
        {"a name cut off", SPAN(HEADER("\1", "\0", "\0", "\0") "\3www\2e"), "FORMERR"},
        {"a name that points at itself", SPAN(HEADER("\1", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1"),
         "FORMERR"},
        {"a name that points into the header",
         SPAN(HEADER("\1", "\0", "\0", "\0") "\3www\xc0\2\0\1\0\1"), "FORMERR"},
        {"an answer in the query", SPAN(HEADER("\1", "\1", "\0", "\0") WWW WWW "\0\0\0\0\0\0"),
         "FORMERR"},
        {"an authority in the query", SPAN(HEADER("\1", "\0", "\1", "\0") WWW WWW "\0\0\0\0\0\0"),
         "FORMERR"},
        {"an additional record that is no OPT",
         SPAN(HEADER("\1", "\0", "\0", "\1") WWW "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"), GOOD},
        {"an additional record cut off",
         SPAN(HEADER("\1", "\0", "\0", "\1") WWW "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3"), "FORMERR"},
        {"an additional record missing", SPAN(HEADER("\1", "\0", "\0", "\1") WWW), "FORMERR"},
    };
    ask_rows(&d, rows, ARRAY_LEN(rows));
}

/* Labels of 63 bytes, and one that fills the name up to its limit. */
#define LABEL63                                                                                    \
    "\x3f"                                                                                         \
    "012345678901234567890123456789012345678901234567890123456789abc"
#define LABEL61 "0123456789012345678901234567890123456789012345678901234567890"
#define LABELS20 "\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
#define LABELS120 LABELS20 LABELS20 LABELS20 LABELS20 LABELS20 LABELS20

Test(packet, rfc1035_3_1_names_at_their_limits)
{
#define ASK(name) SPAN(HEADER("\1", "\0", "\0", "\0") name "\0\0\1\0\1")
    const struct packet_row rows[] = {
        {"255 octets", ASK(LABEL63 LABEL63 LABEL63 "\x3d" LABEL61), "REFUSED"},
        {"256 octets", ASK(LABEL63 LABEL63 LABEL63 "\x3e" LABEL61 "x"), "FORMERR"},
        {"127 labels", ASK(LABELS120 "\1a\1a\1a\1a\1a\1a\1a"), "REFUSED"},
        {"128 labels", ASK(LABELS120 "\1a\1a\1a\1a\1a\1a\1a\1a"), "FORMERR"},
        {"a label type that is not assigned",
         ASK("\x41"
             "a"),
         "FORMERR"},
        {"the other one",
         ASK("\x81"
             "a"),
         "FORMERR"},
        {"the root", ASK(""), "REFUSED"},
    };
    ask_rows(&d, rows, ARRAY_LEN(rows));
}

Test(packet, rfc6891_6_1)
{
    const struct packet_row rows[] = {
        {"OPT", SPAN(HEADER("\1", "\0", "\0", "\1") WWW OPT "\0\0"), GOOD " | edns"},
        {"DO is echoed", SPAN(HEADER("\1", "\0", "\0", "\1") WWW "\0\0\x29\x04\xd0\0\0\x80\0\0\0"),
         GOOD " | edns do"},
        {"unknown flags are not",
         SPAN(HEADER("\1", "\0", "\0", "\1") WWW "\0\0\x29\x04\xd0\0\0\x7f\xff\0\0"),
         GOOD " | edns"},
        {"unknown options are skipped",
         SPAN(HEADER("\1", "\0", "\0", "\1") WWW OPT "\0\x06\xff\xfe\0\2xx"), GOOD " | edns"},
        {"version 1", SPAN(HEADER("\1", "\0", "\0", "\1") WWW "\0\0\x29\x04\xd0\0\1\0\0\0\0"),
         "NOERROR | edns ext 1"},
        {"version 1 without a question",
         SPAN(HEADER("\0", "\0", "\0", "\1") "\0\0\x29\x04\xd0\0\1\0\0\0\0"),
         "NOERROR | edns ext 1"},
        {"version 1 of opcode 4",
         SPAN(HEADER_OF("\x20", "\1", "\0", "\0", "\1") WWW "\0\0\x29\x04\xd0\0\1\0\0\0\0"),
         "NOERROR | edns ext 1"},
        {"version 1 of opcode 5",
         SPAN(HEADER_OF("\x28", "\1", "\0", "\0", "\1") WWW "\0\0\x29\x04\xd0\0\1\0\0\0\0"),
         "NOERROR | edns ext 1"},
        {"version 0 of opcode 4", SPAN(HEADER_OF("\x20", "\1", "\0", "\0", "\1") WWW OPT "\0\0"),
         "NOTIMP | edns ede 21"},
        {"two of them", SPAN(HEADER("\1", "\0", "\0", "\2") WWW OPT "\0\0" OPT "\0\0"),
         "FORMERR | edns"},
        {"a name that is not the root", SPAN(HEADER("\1", "\0", "\0", "\1") WWW "\1x" OPT "\0\0"),
         "FORMERR"},
        {"data cut off", SPAN(HEADER("\1", "\0", "\0", "\1") WWW OPT "\0\4\0\x0a\0"), "FORMERR"},
        {"an option longer than the data",
         SPAN(HEADER("\1", "\0", "\0", "\1") WWW OPT "\0\5\xff\xfe\0\2x"), "FORMERR | edns"},
        {"an option without a length",
         SPAN(HEADER("\1", "\0", "\0", "\1") WWW OPT "\0\3\xff\xfe\0"), "FORMERR | edns"},
        {"OPT in the answer section", SPAN(HEADER("\1", "\1", "\0", "\0") WWW OPT "\0\0"),
         "FORMERR"},
    };
    ask_rows(&d, rows, ARRAY_LEN(rows));
}

Test(packet, rfc7871_6)
{
#define ECS(len, option) SPAN(HEADER("\1", "\0", "\0", "\1") WWW OPT "\0" len "\0\x08\0" option)
    const struct packet_row rows[] = {
        {"/24", ECS("\x0b", "\7\0\1\x18\0\x0a\1\2"), GOOD " | edns scope 24/0"},
        {"/0", ECS("\x08", "\4\0\1\0\0"), GOOD " | edns scope 0/0"},
        {"family 0, /0", ECS("\x08", "\4\0\0\0\0"), GOOD " | edns scope 0/0"},
        {"/20", ECS("\x0b", "\7\0\1\x14\0\x0a\1\xf0"), GOOD " | edns scope 20/0"},
        {"bits behind the prefix", ECS("\x0b", "\7\0\1\x14\0\x0a\1\xf8"), "FORMERR | edns"},
        {"too many octets", ECS("\x0c", "\x08\0\1\x18\0\x0a\1\2\0"), "FORMERR | edns"},
        {"too few octets", ECS("\x0a", "\6\0\1\x18\0\x0a\1"), "FORMERR | edns"},
        {"/33", ECS("\x0d", "\x09\0\1\x21\0\x0a\1\2\3\0"), "FORMERR | edns"},
        {"a scope in a query", ECS("\x0b", "\7\0\1\x18\1\x0a\1\2"), "FORMERR | edns"},
        {"family 3", ECS("\x0b", "\7\0\3\x18\0\x0a\1\2"), "FORMERR | edns"},
        {"family 0 with an address", ECS("\x0b", "\7\0\0\x18\0\x0a\1\2"), "FORMERR | edns"},
        {"three octets", ECS("\x07", "\3\0\1\0"), "FORMERR | edns"},
        {"empty", ECS("\x04", "\0"), "FORMERR | edns"},
        {"two of them", ECS("\x10", "\4\0\1\0\0\0\x08\0\4\0\1\0\0"), "FORMERR | edns scope 0/0"},
    };
    ask_rows(&d, rows, ARRAY_LEN(rows));
}

/* Reads a query with a client subnet, whose address has so many octets, and begins with so many
 * bits that are 1. */
static int read_subnet(uint16_t family, unsigned source, unsigned ones, size_t octets,
                       struct query *query)
{
    static const char head[] = HEADER("\1", "\0", "\0", "\1") WWW OPT;
    size_t size = sizeof(head) - 1 + 10 + octets;
    uint8_t *exact = malloc(size); /* so that a sanitizer sees reads past the end */
    struct wire_out out = wire_out_of(exact, size);

    wire_put_bytes(&out, head, sizeof(head) - 1);
    wire_put_u16(&out, (uint16_t)(8 + octets));
    wire_put_u16(&out, 8); /* RFC 7871 6 */
    wire_put_u16(&out, (uint16_t)(4 + octets));
    wire_put_u16(&out, family);
    wire_put_u8(&out, (uint8_t)source);
    wire_put_u8(&out, 0);
    for (unsigned i = 0; i < octets; i++) {
        unsigned here = ones < 8 * i ? 0 : ones - 8 * i;
        wire_put_u8(&out, (uint8_t)(0xff00 >> (here < 8 ? here : 8)));
    }
    cr_assert(!out.failed && wire_room(&out) == 0);
    int rcode = query_read(span_of(exact, size), query);
    free(exact);
    return rcode;
}

static void expect_subnet(uint16_t family, unsigned source)
{
    unsigned octets = (source + 7) / 8;
    struct query query;
    struct ip want = {{[10] = family == 1 ? 0xff : 0, [11] = family == 1 ? 0xff : 0}};

    for (unsigned i = 0; i < source; i++) {
        want.at[(family == 1 ? 12 : 0) + i / 8] |= (uint8_t)(0x80 >> i % 8);
    }
    cr_expect_eq(read_subnet(family, source, source, octets, &query), RCODE_NOERROR, "%u", source);
    cr_expect(query.edns.ecs.present && query.edns.ecs.source == source);
    cr_expect(ip_eq(&query.edns.ecs.ip, &want), "family %u /%u", family, source);
    if (source % 8) {
        cr_expect_eq(read_subnet(family, source, source + 1, octets, &query), RCODE_FORMERR);
    }
    cr_expect_eq(read_subnet(family, source, source, octets + 1, &query), RCODE_FORMERR);
    if (source) {
        cr_expect_eq(read_subnet(family, source, source, octets - 1, &query), RCODE_FORMERR);
    }
}

Test(packet, rfc7871_6_source_prefixes_of_every_length)
{
    struct query query;

    for (unsigned source = 0; source <= 32; source++) {
        expect_subnet(1, source);
    }
    for (unsigned source = 0; source <= 128; source++) {
        expect_subnet(2, source);
    }
    for (unsigned source = 33; source <= 255; source++) {
        cr_expect_eq(read_subnet(1, source, 32, (source + 7) / 8, &query), RCODE_FORMERR);
    }
    for (unsigned source = 129; source <= 255; source++) {
        cr_expect_eq(read_subnet(2, source, 128, (source + 7) / 8, &query), RCODE_FORMERR);
    }
}

/* It is for answers without records; behind others it is left out where nothing is left. */
Test(packet, an_extended_error_takes_no_room_that_is_not_there)
{
    struct span bytes = SPAN(HEADER("\1", "\0", "\0", "\1") WWW OPT "\0\0");
    static uint8_t record[DNS_UDP_PLAIN] = "\xc0\x0c\0\x10\0\1";
    struct query query;

    cr_assert_eq(query_read(bytes, &query), RCODE_NOERROR);
    for (size_t left = 0; left < 9; left++) {
        uint8_t *room = malloc(DNS_UDP_PLAIN); /* so that a sanitizer sees writes past the end */
        struct packet packet = {.opt = {.ede = EDE_NONE}};
        packet_begin(&packet, &query, room, DNS_UDP_PLAIN);
        cr_assert(packet_record(&packet, NULL, span_of(record, wire_room(&packet.out) - left)));
        packet.opt.ede = EDE_NOT_READY;
        size_t len = packet_finish(&packet, RCODE_SERVFAIL, 0);
        cr_expect_eq(len, DNS_UDP_PLAIN - left + (left >= 6 ? 6 : 0), "%zu: %zu", left, len);
        free(room);
    }
}

Test(packet, any_cut_of_a_query_is_handled)
{
    static const char query[] =
        HEADER("\1", "\0", "\0", "\1") WWW OPT "\0\x0b\0\x08\0\7\0\1\x18\0\x0a\1\2";

    for (size_t len = 0; len < sizeof(query) - 1; len++) {
        char *exact = malloc(len + 1); /* so that a sanitizer sees reads past the end */
        memcpy(exact, query, len);
        const char *got = ask_bytes(&d, span_of(exact, len));
        cr_expect_eq(strncmp(got, len < 12 ? "nothing" : "FORMERR", 7), 0, "%zu: %s", len, got);
        free(exact);
    }
}
