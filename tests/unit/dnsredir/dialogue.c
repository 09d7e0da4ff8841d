#include "dialogue.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static const struct {
    const char *text;
    uint16_t type;
} types[] = {
    {"A", 1},        {"NS", 2},     {"CNAME", 5},         {"SOA", 6},     {"HINFO", 13},
    {"MX", 15},      {"TXT", 16},   {"AAAA", 28},         {"SRV", 33},    {"DS", 43},
    {"IXFR", 251},   {"AXFR", 252}, {"ANY", 255},         {"CAA", 257},   {"OPT", 41},
    {"PTR", 12},     {"RRSIG", 46}, {"NSEC", 47},         {"DNSKEY", 48}, {"CDS", 59},
    {"CDNSKEY", 60}, {"HTTPS", 65}, {"TYPE65534", 65534},
};

static int load(const char *yaml, struct buf *errors, struct settings **out)
{
    char path[] = "/tmp/larder-dns-test-XXXXXX";
    int fd = mkstemp(path);
    char *argv[] = {(char[]){"larder-dns"}, (char[]){"--config"}, path, NULL};

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    int err = settings_load(3, argv, errors, NULL, out);
    unlink(path);
    return err;
}

void dialogue_init(struct dialogue *d, const char *yaml)
{
    struct buf errors = BUF_INIT;

    *d = (struct dialogue){0};
    cr_assert_eq(load(yaml, &errors, &d->settings), 0, "%.*s", SPAN_ARGS(buf_span(&errors)));
    memset(&d->standing.open, 0xff, sizeof(d->standing.open));
    d->standing.alive = d->standing.open;
    d->view = (struct view){
        .zones = d->settings->zones,
        .nearest = d->settings->nearest.map,
        .rankings = d->settings->nearest.rankings,
        .standing = &d->standing,
        .identity = &d->settings->identity,
        .rates = &d->settings->rates,
        .recursion = d->settings->recursion,
    };
    dialogue_sign(d, SIGNATURES_MAX);
    cr_assert_eq(ip_parse(SPAN("203.0.113.5"), &d->client.ip), 0);
    buf_fini(&errors);
}

void dialogue_sign(struct dialogue *d, size_t most)
{
    signatures_unref(&d->signatures);
    signer_free(&d->client.signer);
    const struct signatures_plan plan = {.now = d->client.now,
                                         .most = most,
                                         .rate = d->settings->dnssec.rate,
                                         .rankings = d->settings->nearest.rankings,
                                         .ranking_count = d->settings->nearest.ranking_count};
    d->signatures = signatures_new(d->settings->zones, &plan);
    d->view.signatures = d->signatures;
    d->client.signer = signer_new();
}

void dialogue_fini(struct dialogue *d)
{
    signatures_unref(&d->signatures);
    signer_free(&d->client.signer);
    settings_free(&d->settings);
}

void dialogue_set_up(struct dialogue *d, unsigned replica, bool up)
{
    replica_set_put(&d->standing.open, replica, up);
    replica_set_put(&d->standing.alive, replica, up);
}

char *dialogue_errors(const char *yaml)
{
    struct buf errors = BUF_INIT;
    struct settings *settings;

    cr_assert_neq(load(yaml, &errors, &settings), 0, "accepted: %s", yaml);
    char *text = xspandup(buf_span(&errors));
    buf_fini(&errors);
    return text;
}

/* Is any line more than a note? */
static bool has_errors(struct span lines)
{
    while (lines.len) {
        struct span line = span_cut(&lines, '\n');
        if (!memmem(line.at, line.len, " note: ", 7)) {
            return true;
        }
    }
    return false;
}

bool dialogue_is_good(const char *yaml)
{
    struct buf errors = BUF_INIT;
    struct settings *settings;
    int err = load(yaml, &errors, &settings);

    cr_expect_eq(err != 0, has_errors(buf_span(&errors)), "an error has a line: %s", yaml);
    settings_free(&settings);
    buf_fini(&errors);
    return err == 0;
}

char *dialogue_notes(const char *yaml)
{
    struct buf errors = BUF_INIT;
    struct settings *settings;

    cr_assert_eq(load(yaml, &errors, &settings), 0, "%.*s", SPAN_ARGS(buf_span(&errors)));
    char *text = xspandup(buf_span(&errors));
    settings_free(&settings);
    buf_fini(&errors);
    return text;
}

static uint16_t type_number(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i].text, text) == 0) {
            return types[i].type;
        }
    }
    return (uint16_t)strtoul(text + 4, NULL, 10);
}

static void put_subnet(struct wire_out *out, const char *subnet)
{
    struct prefix prefix;
    const char *what;

    cr_assert_eq(prefix_parse(span_str(subnet), &prefix, &what), 0);
    bool v4 = ip_is_v4(&prefix.ip) && !strchr(subnet, ':');
    unsigned bits = prefix.bits - (v4 ? 96u : 0u);
    wire_put_u16(out, (uint16_t)(8 + (bits + 7) / 8));
    wire_put_u16(out, 8);
    wire_put_u16(out, (uint16_t)(4 + (bits + 7) / 8));
    wire_put_u16(out, v4 ? 1 : 2);
    wire_put_u8(out, (uint8_t)bits);
    wire_put_u8(out, 0);
    wire_put_bytes(out, prefix.ip.at + (v4 ? 12 : 0), (bits + 7) / 8);
}

size_t question_write(const struct question *q, uint8_t *room, size_t len)
{
    struct wire_out out = wire_out_of(room, len);
    struct name name;
    bool edns = q->edns || q->subnet || q->dnssec;

    cr_assert_eq(name_parse_absolute(span_str(q->name), &name), 0);
    for (size_t i = 0, at = 1; q->name[i]; i++, at++) { /* the case as written */
        if (q->name[i] >= 'A' && q->name[i] <= 'Z') {
            name.at[at] = (uint8_t)q->name[i];
        }
    }
    wire_put_u16(&out, 0x1234);
    wire_put_u16(&out, q->flags);
    wire_put_u16(&out, 1);
    wire_put_u32(&out, 0);
    wire_put_u16(&out, edns);
    wire_put_bytes(&out, name.at, name.len);
    wire_put_u16(&out, type_number(q->type));
    wire_put_u16(&out, q->class ? q->class : 1);
    if (edns) {
        wire_put_u8(&out, 0);
        wire_put_u16(&out, 41);
        wire_put_u16(&out, q->payload ? q->payload : 1232);
        wire_put_u32(&out, q->dnssec ? 0x8000 : 0);
        if (q->subnet) {
            put_subnet(&out, q->subnet);
        } else {
            wire_put_u16(&out, 0);
        }
    }
    cr_assert_not(out.failed);
    return wire_out_len(&out);
}

/* ---- responses ---- */

static void text_name(struct wire_in *in, struct buf *out)
{
    struct name name;
    char text[NAME_TEXT_MAX];

    cr_assert_eq(name_read(in, &name), 0);
    buf_printf(out, "%s", name_text(&name, text));
}

static void text_address(struct wire_in *in, bool v4, struct buf *out)
{
    struct ip ip = {{[10] = 0xff, [11] = 0xff}};
    char text[IP_TEXT_MAX];
    const uint8_t *bytes = wire_get(in, v4 ? 4 : 16);

    cr_assert_not_null(bytes);
    memcpy(ip.at + (v4 ? 12 : 0), bytes, v4 ? 4 : 16);
    buf_printf(out, "%s", ip_text(&ip, text));
}

static void text_soa(struct wire_in *in, struct buf *out)
{
    text_name(in, out);
    buf_printf(out, " ");
    text_name(in, out);
    for (int i = 0; i < 5; i++) {
        buf_printf(out, " %u", wire_get_u32(in));
    }
}

static const char *type_word(uint16_t type)
{
    static char number[16];

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].type == type) {
            return types[i].text;
        }
    }
    snprintf(number, sizeof(number), "TYPE%u", type);
    return number;
}

/* "A 4 30 example." : what is covered, labels, original TTL, signer. */
static void text_rrsig(struct wire_in *in, size_t len, struct buf *out)
{
    const uint8_t *end = in->at + len;

    buf_printf(out, "%s", type_word(wire_get_u16(in)));
    cr_assert_eq(wire_get_u8(in), 13);
    buf_printf(out, " %u", wire_get_u8(in));
    buf_printf(out, " %u ", wire_get_u32(in));
    wire_get(in, 10);
    text_name(in, out);
    cr_assert_eq(end - in->at, 64, "a signature of 64 bytes");
    wire_get(in, 64);
}

static void text_nsec(struct wire_in *in, size_t len, struct buf *out)
{
    const uint8_t *end = in->at + len;

    text_name(in, out);
    while (in->at < end) {
        unsigned window = wire_get_u8(in);
        unsigned bytes = wire_get_u8(in);
        cr_assert(bytes > 0 && bytes <= 32);
        for (unsigned i = 0; i < bytes; i++) {
            uint8_t bits = wire_get_u8(in);
            cr_assert(bits || i + 1 < bytes, "no zero byte at the end: RFC 4034 4.1.2");
            for (unsigned n = 0; n < 8; n++) {
                if (bits >> (7 - n) & 1) {
                    buf_printf(out, " %s", type_word((uint16_t)(window << 8 | (i * 8 + n))));
                }
            }
        }
    }
}

static void text_data(struct wire_in *in, uint16_t type, size_t len, struct buf *out)
{
    const uint8_t *end = in->at + len;

    switch (type) {
    case 1:
    case 28:
        text_address(in, type == 1, out);
        break;
    case 15:
        buf_printf(out, "%u ", wire_get_u16(in));
        text_name(in, out);
        break;
    case 2:
    case 5:
    case 12:
        text_name(in, out);
        break;
    case 6:
        text_soa(in, out);
        break;
    case 46:
        text_rrsig(in, len, out);
        break;
    case 47:
        text_nsec(in, len, out);
        break;
    case 48:
    case 60:
        cr_assert_eq(len, 68);
        buf_printf(out, "%u", wire_get_u16(in));
        wire_get(in, len - 2);
        break;
    case 43:
    case 59:
        wire_get_u16(in); /* the tag of a random key */
        buf_printf(out, "%u", wire_get_u8(in));
        buf_printf(out, " %u", wire_get_u8(in));
        wire_get(in, len - 4);
        break;
    default:
        for (size_t i = 0; i < len; i++) {
            uint8_t byte = wire_get_u8(in);
            buf_printf(out, byte > 32 && byte < 127 ? "%c" : "\\%02x", byte);
        }
    }
    cr_assert_eq(in->at, end, "the data of a record has its announced length");
}

/* Options other than the client subnet. */
static void text_option(uint16_t code, struct span value, struct buf *out)
{
    struct wire_in in = wire_in_of(value.at, value.len);

    switch (code) {
    case 3:
        buf_printf(out, " nsid %.*s", SPAN_ARGS(value));
        break;
    case 10:
        cr_assert_eq(value.len, 24);
        buf_printf(out, " cookie %.8s", value.at);
        break;
    case 11:
    case 15:
        cr_assert_eq(value.len, 2);
        buf_printf(out, " %s %u", code == 11 ? "keepalive" : "ede", wire_get_u16(&in));
        break;
    default:
        cr_assert_fail("option %u", code);
    }
}

static void text_opt(struct wire_in *in, struct buf *out)
{
    cr_assert_eq(wire_get_u16(in), 1232, "the payload we announce");
    uint32_t ttl = wire_get_u32(in);
    struct wire_in options = {0};
    size_t len = wire_get_u16(in);
    const uint8_t *at = wire_get(in, len);

    cr_assert_not_null(at);
    options = wire_in_of(at, len);
    buf_printf(out, " | edns%s", ttl & 0x8000 ? " do" : "");
    if (ttl >> 24 && !span_starts(buf_span(out), SPAN("BADCOOKIE"))) {
        buf_printf(out, " ext %u", ttl >> 24);
    }
    cr_assert_eq(ttl >> 16 & 0xff, 0, "version 0");
    while (wire_left(&options)) {
        uint16_t code = wire_get_u16(&options);
        size_t size = wire_get_u16(&options);
        if (code != 8) {
            text_option(code, wire_get_span(&options, size), out);
            continue;
        }
        wire_get_u16(&options);
        unsigned source = wire_get_u8(&options);
        buf_printf(out, " scope %u/%u", source, wire_get_u8(&options));
        cr_assert_eq(size, 4 + (source + 7) / 8);
        cr_assert_not_null(wire_get(&options, size - 4));
    }
}

static void text_record(struct wire_in *in, const char *section, struct buf *out)
{
    struct name owner;
    char text[NAME_TEXT_MAX];

    cr_assert_eq(name_read(in, &owner), 0);
    uint16_t type = wire_get_u16(in);
    if (type == 41) {
        cr_assert_eq(owner.len, 1);
        text_opt(in, out);
        return;
    }
    bool chaos = wire_get_u16(in) == 3;
    uint32_t ttl = wire_get_u32(in);
    uint16_t len = wire_get_u16(in);
    buf_printf(out, " | %s%s %u ", section, name_text(&owner, text), ttl);
    const char *word = NULL;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        word = types[i].type == type ? types[i].text : word;
    }
    buf_printf(out, "%s%s ", chaos ? "CH " : "", word ? word : "?");
    text_data(in, type, len, out);
}

const char *response_text(struct span packet)
{
    static const char *const rcodes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                         "NOTIMP",  "REFUSED", "YXDOMAIN", "BADCOOKIE"};
    static const char *const sections[] = {"", "ns ", "ar "};
    static char text[65536];
    struct buf out = BUF_INIT;
    struct wire_in in = wire_in_of(packet.at, packet.len);
    uint16_t counts[4];

    cr_assert_eq(wire_get_u16(&in), 0x1234, "the id is echoed");
    uint16_t flags = wire_get_u16(&in);
    cr_assert(flags & 0x8000);
    cr_assert_eq(flags & 0x0040, 0, "Z is clear");
    buf_printf(&out, "%s%s%s%s%s%s%s", rcodes[flags & 15], flags & 0x0400 ? " aa" : "",
               flags & 0x0200 ? " tc" : "", flags & 0x0100 ? " rd" : "",
               flags & 0x0080 ? " ra" : "", flags & 0x0020 ? " ad" : "",
               flags & 0x0010 ? " cd" : "");
    for (int i = 0; i < 4; i++) {
        counts[i] = wire_get_u16(&in);
    }
    for (int i = 0; i < counts[0]; i++) {
        struct name name;
        cr_assert_eq(name_read(&in, &name), 0);
        wire_get_u32(&in);
    }
    for (int section = 0; section < 3; section++) {
        for (int i = 0; i < counts[section + 1]; i++) {
            text_record(&in, sections[section], &out);
        }
    }
    cr_assert_not(in.failed);
    cr_assert_eq(wire_left(&in), 0, "nothing behind the last record");
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(buf_span(&out)));
    buf_fini(&out);
    return text;
}

const char *ask_bytes(struct dialogue *d, struct span packet)
{
    size_t len = answer(&d->view, &d->client, packet, d->packet, &d->note);

    d->packet_len = len;
    return len ? response_text(span_of(d->packet, len)) : "nothing";
}

const char *ask(struct dialogue *d, const struct question *question)
{
    uint8_t query[1024];
    size_t query_len = question_write(question, query, sizeof(query));
    size_t len = answer(&d->view, &d->client, span_of(query, query_len), d->packet, &d->note);
    bool edns = question->edns || question->subnet || question->dnssec;
    size_t limit = edns && question->payload > 512 ? question->payload : edns ? 1232 : 512;

    d->packet_len = len;
    if (len == 0) {
        return "nothing";
    }
    cr_assert(d->client.tcp || len <= (limit < 1232 ? limit : 1232), "%zu bytes", len);
    return response_text(span_of(d->packet, len));
}

void ask_rows(struct dialogue *d, const struct packet_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = ask_bytes(d, rows[i].packet);
        cr_expect_str_eq(got, rows[i].want, "%s:\n got %s\nwant %s", rows[i].what, got,
                         rows[i].want);
    }
}
