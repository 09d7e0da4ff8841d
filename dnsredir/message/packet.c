#include "dnsredir/message/packet.h"

#include "base/check.h"
#include "base/err.h"

#define POINTER 0xc000
#define POINTER_MAX 0x3fff

/* One question, its name uncompressed: nothing stands before it to point at. */
static int question_read(struct wire_in *in, struct query *out)
{
    const uint8_t *start = in->at;

    if (name_read(in, &out->name)) {
        return RCODE_FORMERR;
    }
    size_t name_len = (size_t)(in->at - start);
    out->type = wire_get_u16(in);
    out->class = wire_get_u16(in);
    if (in->failed || name_len != out->name.len) {
        return RCODE_FORMERR;
    }
    out->question = span_of(start, name_len + 4);
    return RCODE_NOERROR;
}

/* One record behind the question. Only OPT and TSIG matter. OPT has the root for a name, stands in
 * the additional section, and once (RFC 6891 6.1.1). TSIG is the last of all (RFC 8945 5.1). */
static int record_skip(struct wire_in *in, bool additional, bool last, struct query *out)
{
    const uint8_t *owner = in->at;
    struct edns *edns = &out->edns;

    if (name_skip(in)) {
        return RCODE_FORMERR;
    }
    uint16_t type = wire_get_u16(in);
    if (type == TYPE_OPT) {
        if (!additional || edns->present || *owner != 0 || edns_read(in, edns)) {
            return RCODE_FORMERR;
        }
        return RCODE_NOERROR;
    }
    if (type == TYPE_TSIG) {
        if (!additional || !last) {
            return RCODE_FORMERR;
        }
        out->tsig_at = (uint16_t)(owner - in->start);
    }
    wire_get(in, 6);
    wire_get(in, wire_get_u16(in));
    return in->failed ? RCODE_FORMERR : RCODE_NOERROR;
}

static int records_read(struct wire_in *in, unsigned before, unsigned additional, struct query *out)
{
    unsigned count = before + additional;

    for (unsigned i = 0; i < count; i++) {
        if (record_skip(in, i >= before, i + 1 == count, out)) {
            return RCODE_FORMERR;
        }
    }
    return wire_left(in) ? RCODE_FORMERR : RCODE_NOERROR;
}

/* A query carries a question and nothing before the additional section, but for the SOA of an
 * incremental transfer (RFC 1995 3). */
static bool counts_are_wrong(const struct query *query, const uint16_t counts[SECTIONS])
{
    return counts[SECTION_ANSWER] != 0 ||
           (counts[SECTION_AUTHORITY] != 0 && query->type != TYPE_IXFR);
}

/* Skips the questions behind the first one. */
static void questions_skip(struct wire_in *in, unsigned count)
{
    while (count-- && !in->failed) {
        if (name_skip(in)) {
            in->failed = true;
        }
        wire_get(in, 4);
    }
}

/* Reads what it can of a query that is wrong, too: its OPT says that one is due in the answer (RFC
 * 6891 6.1.1). More than one question: RFC 9619. */
static int body_read(struct wire_in *in, const uint8_t *header, struct query *out)
{
    uint16_t questions = wire_u16_at(header + 4);
    uint16_t counts[SECTIONS];

    for (unsigned i = 0; i < SECTIONS; i++) {
        counts[i] = wire_u16_at(header + 6 + (size_t)2 * i);
    }
    if (questions && question_read(in, out)) {
        return RCODE_FORMERR;
    }
    bool wrong = questions > 1 ||
                 ((out->flags & FLAG_OPCODE) == OPCODE_QUERY && counts_are_wrong(out, counts));
    if (questions > 1) {
        out->question = SPAN_EMPTY;
        questions_skip(in, questions - 1u);
    }
    unsigned before = (unsigned)counts[SECTION_ANSWER] + counts[SECTION_AUTHORITY];
    int rcode = records_read(in, before, counts[SECTION_ADDITIONAL], out);
    /* the options of another version are not examined */
    bool newer = out->edns.present && out->edns.version;
    if (questions == 0 && out->edns.cookie.len == 0 && !newer) { /* RFC 7873 5.4 */
        return RCODE_FORMERR;
    }
    return wrong ? RCODE_FORMERR : rcode;
}

int message_read(struct span packet, struct query *out)
{
    struct wire_in in = wire_in_of(packet.at, packet.len);
    const uint8_t *header = wire_get(&in, DNS_HEADER_LEN);

    if (!header) {
        return ERR_SYNTAX;
    }
    out->id = wire_u16_at(header);
    out->flags = wire_u16_at(header + 2);
    out->question = SPAN_EMPTY;
    out->type = 0;
    out->edns.present = false;
    out->edns.ecs.present = false;
    out->edns.dnssec_ok = false;
    out->edns.cookie = SPAN_EMPTY;
    out->edns.nsid = out->edns.keepalive = false;
    out->tsig_at = 0;
    return out->flags & FLAG_QR ? ERR_SYNTAX : body_read(&in, header, out);
}

int query_read(struct span packet, struct query *out)
{
    int rcode = message_read(packet, out);

    if (rcode < 0) {
        return rcode;
    }
    if (out->edns.present && out->edns.version) { /* for any opcode: RFC 6891 6.1.3 */
        return RCODE_BADVERS;
    }
    return (out->flags & FLAG_OPCODE) == OPCODE_QUERY ? rcode : RCODE_NOTIMP;
}

void packet_begin(struct packet *packet, const struct query *query, void *room, size_t limit)
{
    CHECK(limit >= PACKET_ROOM_MIN);
    packet->out = wire_out_of(room, limit - edns_len(&query->edns, &packet->opt));
    packet->end = (uint8_t *)room + limit;
    packet->query = query;
    memset(packet->counts, 0, sizeof(packet->counts));
    wire_put(&packet->out, DNS_HEADER_LEN);
    packet->name_count = 0;
    if (query->question.len) {
        packet->names[0].name = &query->name;
        packet->names[0].offset = DNS_HEADER_LEN;
        packet->names[0].literal = query->name.labels;
        packet->name_count = 1;
    }
    wire_put_bytes(&packet->out, query->question.at, query->question.len);
}

/* The mark is not returned: to copy it right after it was written in parts would wait for all of
 * these. */
void packet_mark(const struct packet *packet, struct packet_mark *out)
{
    out->at = packet->out.at;
    out->name_count = packet->name_count;
    memcpy(out->counts, packet->counts, sizeof(out->counts));
}

void packet_undo(struct packet *packet, const struct packet_mark *mark)
{
    packet->out.at = mark->at;
    packet->out.failed = false;
    packet->name_count = mark->name_count;
    memcpy(packet->counts, mark->counts, sizeof(packet->counts));
}

/* The longest suffix of `name` that is in the packet: returns its number of labels. */
static unsigned find_suffix(const struct packet *packet, const struct name *name, uint16_t *offset)
{
    unsigned best = 0;

    for (unsigned i = 0; i < packet->name_count; i++) {
        const struct name *known = packet->names[i].name;
        unsigned common = name_common(name, known);
        unsigned first = known->labels - common;
        if (common > best && first < packet->names[i].literal) {
            best = common;
            *offset = (uint16_t)(packet->names[i].offset + known->label[first]);
        }
    }
    return best;
}

static void remember_name(struct packet *packet, const struct name *name, size_t offset,
                          unsigned literal)
{
    if (literal == 0 || packet->name_count == PACKET_NAMES || offset + NAME_MAX_LEN > POINTER_MAX) {
        return;
    }
    unsigned i = packet->name_count++;

    packet->copies[i] = *name;
    packet->names[i].name = &packet->copies[i];
    packet->names[i].offset = (uint16_t)offset;
    packet->names[i].literal = (uint8_t)literal;
}

static void put_name(struct packet *packet, const struct name *name)
{
    uint16_t offset = 0;
    unsigned common = find_suffix(packet, name, &offset);
    unsigned literal = name->labels - common;
    size_t at = wire_out_len(&packet->out);

    if (common == 0) {
        wire_put_bytes(&packet->out, name->at, name->len);
    } else {
        size_t len = literal < name->labels ? name->label[literal] : 0u;
        wire_put_bytes(&packet->out, name->at, len);
        wire_put_u16(&packet->out, POINTER | offset);
    }
    remember_name(packet, name, at, literal);
}

/* The data of one record, names in it compressed where its type allows. */
static void put_data(struct packet *packet, uint16_t type, struct span data)
{
    struct rr_layout layout = rr_layout(type);
    uint8_t *len_at = wire_put(&packet->out, 2);
    size_t start = wire_out_len(&packet->out);

    wire_put_bytes(&packet->out, data.at, layout.skip);
    data = span_skip(data, layout.skip);
    for (unsigned i = 0; i < layout.names; i++) {
        struct name name;
        name_load(&name, (const uint8_t *)data.at);
        put_name(packet, &name);
        data = span_skip(data, name.len);
    }
    wire_put_bytes(&packet->out, data.at, data.len);
    if (len_at) {
        size_t len = wire_out_len(&packet->out) - start;
        len_at[0] = (uint8_t)(len >> 8);
        len_at[1] = (uint8_t)len;
    }
}

static void put_record(struct packet *packet, const struct name *owner, struct wire_in *from)
{
    const uint8_t *fixed = wire_get(from, RR_FIXED_LEN - 2);
    struct span data = wire_get_span(from, wire_get_u16(from));

    CHECK(!from->failed);
    if (owner) {
        put_name(packet, owner);
    } else {
        wire_put_u16(&packet->out, RR_OWNER);
    }
    wire_put_bytes(&packet->out, fixed + 2, RR_FIXED_LEN - 4);
    put_data(packet, (uint16_t)(fixed[2] << 8 | fixed[3]), data);
}

/* Addresses all have one size, so they can be turned; sets with one record need not be. */
static size_t first_record(const struct rrset *set, uint32_t turn)
{
    bool fixed = set->type == TYPE_A || set->type == TYPE_AAAA;
    return fixed && set->count > 1 ? set->len / set->count * (turn % set->count) : 0;
}

bool packet_rrset(struct packet *packet, enum section section, const struct name *owner,
                  const struct rrset *set, uint32_t turn)
{
    struct packet_mark mark;
    size_t first = first_record(set, turn);

    packet_mark(packet, &mark);
    if (!owner && rr_layout(set->type).names == 0) {
        wire_put_bytes(&packet->out, set->wire + first, set->len - first);
        wire_put_bytes(&packet->out, set->wire, first);
    } else {
        struct wire_in tail = wire_in_of(set->wire + first, set->len - first);
        struct wire_in head = wire_in_of(set->wire, first);
        while (wire_left(&tail)) {
            put_record(packet, owner, &tail);
        }
        while (wire_left(&head)) {
            put_record(packet, owner, &head);
        }
    }
    if (packet->out.failed) {
        packet_undo(packet, &mark);
        return false;
    }
    packet->counts[section] = (uint16_t)(packet->counts[section] + set->count);
    return true;
}

bool packet_record(struct packet *packet, const struct name *owner, struct span record)
{
    struct packet_mark mark;

    packet_mark(packet, &mark);
    if (owner) {
        struct wire_in in = wire_in_of(record.at, record.len);
        put_record(packet, owner, &in);
    } else {
        wire_put_bytes(&packet->out, record.at, record.len);
    }
    if (packet->out.failed) {
        packet_undo(packet, &mark);
        return false;
    }
    packet->counts[SECTION_ANSWER]++;
    return true;
}

size_t packet_finish(struct packet *packet, unsigned rcode, unsigned flags)
{
    const struct query *query = packet->query;
    size_t len;
    unsigned kept = query->flags & (FLAG_OPCODE | FLAG_RD); /* CD is not: RFC 4035 3.1.6 */

    if (query->edns.present) {
        packet->out.end = packet->end;
        if (packet->opt.ede != EDE_NONE &&
            edns_len(&query->edns, &packet->opt) > wire_room(&packet->out)) {
            packet->opt.ede = EDE_NONE;
        }
        edns_write(&packet->out, &query->edns, &packet->opt, rcode);
        packet->counts[SECTION_ADDITIONAL]++;
    }
    CHECK(!packet->out.failed);
    len = wire_out_len(&packet->out);

    uint8_t *header = packet->out.start;
    wire_u16_to(header, query->id);
    wire_u16_to(header + 2, (uint16_t)(FLAG_QR | kept | flags | (rcode & 15)));
    wire_u16_to(header + 4, query->question.len ? 1 : 0);
    for (unsigned i = 0; i < SECTIONS; i++) {
        wire_u16_to(header + 6 + (size_t)2 * i, packet->counts[i]);
    }
    return len;
}
