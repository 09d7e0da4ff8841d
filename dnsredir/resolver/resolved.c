#include "dnsredir/resolver/resolved.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

struct unresolved *unresolved_new(const struct client *client, const struct deferral *deferral,
                                  const struct answer_note *note, struct span packet,
                                  const void *room)
{
    const struct edns_reply *opt = &deferral->opt;
    struct unresolved *u = xcalloc(1, sizeof(*u) + packet.len + deferral->chain_len);

    u->client = client->ip;
    u->tcp = client->tcp;
    u->authoritative = deferral->authoritative;
    u->note = *note;
    u->note.policy = NULL;
    u->name = deferral->name;
    u->type = deferral->type;
    u->keepalive = opt->keepalive;
    u->scope = opt->scope;
    u->has_cookie = opt->cookie != NULL;
    memcpy(u->cookie, deferral->cookie, sizeof(u->cookie));
    u->nsid_len = opt->nsid.len < NSID_MAX ? opt->nsid.len : NSID_MAX;
    if (u->nsid_len) {
        memcpy(u->nsid, opt->nsid.at, u->nsid_len);
    }
    u->chain_count = deferral->chain_count;
    u->packet_len = packet.len;
    u->chain_len = deferral->chain_len;
    memcpy(u->bytes, packet.at, packet.len);
    memcpy(u->bytes + packet.len, (const uint8_t *)room + deferral->chain_at, deferral->chain_len);
    return u;
}

struct span unresolved_packet(const struct unresolved *query)
{
    return span_of(query->bytes, query->packet_len);
}

/* ---- the message that came back ---- */

struct copying {
    struct packet *packet;
    struct wire_in in;
    uint8_t *scratch;
    uint16_t asked; /* type */
    bool dnssec;    /* the client takes signatures */
    bool cut;       /* something did not fit */
};

/* Names in the data of these types may come compressed (RFC 3597 4). */
static struct rr_layout compressed_layout(uint16_t type)
{
    switch (type) {
    case TYPE_MD:
    case TYPE_MF:
    case TYPE_MB:
    case TYPE_MG:
    case TYPE_MR:
        return (struct rr_layout){0, 1};
    case TYPE_MINFO:
        return (struct rr_layout){0, 2};
    }
    return rr_layout(type);
}

/* Copies `len` bytes of data, expanding compressed names, which may point anywhere before them. */
static int put_expanded(struct wire_in *in, size_t len, uint16_t type, struct wire_out *out)
{
    struct rr_layout layout = compressed_layout(type);

    if (len > wire_left(in) || layout.skip > len) {
        return ERR_SYNTAX;
    }
    struct wire_in part = {in->start, in->at, in->at + len, false};
    wire_put_bytes(out, wire_get(&part, layout.skip), layout.skip);
    for (unsigned i = 0; i < layout.names; i++) {
        struct name name;
        if (name_read(&part, &name)) {
            return ERR_SYNTAX;
        }
        wire_put_bytes(out, name.at, name.len);
    }
    wire_put_bytes(out, part.at, wire_left(&part));
    in->at += len;
    return out->failed ? ERR_SYNTAX : 0;
}

/* Is the record for this client? DNSSEC records are only for clients that set DO, unless the
 * question was for them (RFC 4035 3.2.1). */
static bool is_wanted(const struct copying *c, uint16_t type)
{
    bool dnssec = type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3;

    return type != TYPE_OPT && (!dnssec || c->dnssec || c->asked == type);
}

/* Copies one record, as a set of its own. */
static int copy_record(struct copying *c, enum section section)
{
    struct wire_out out = wire_out_of(c->scratch, RESOLVED_SCRATCH);
    struct name owner;

    CHECK(c->scratch != NULL);
    if (name_read(&c->in, &owner)) {
        return ERR_SYNTAX;
    }
    uint16_t type = wire_get_u16(&c->in);
    uint16_t class = wire_get_u16(&c->in);
    uint32_t ttl = wire_get_u32(&c->in);
    uint16_t len = wire_get_u16(&c->in);
    wire_put_u16(&out, RR_OWNER);
    wire_put_u16(&out, type);
    wire_put_u16(&out, class);
    wire_put_u32(&out, ttl);
    wire_put_u16(&out, 0);
    if (c->in.failed || put_expanded(&c->in, len, type, &out)) {
        return ERR_SYNTAX;
    }
    size_t data_len = wire_out_len(&out) - RR_FIXED_LEN;
    if (data_len > UINT16_MAX) {
        return ERR_SYNTAX;
    }
    if (!is_wanted(c, type)) {
        return 0;
    }
    c->scratch[RR_FIXED_LEN - 2] = (uint8_t)(data_len >> 8);
    c->scratch[RR_FIXED_LEN - 1] = (uint8_t)data_len;
    struct rrset set = {.type = type,
                        .count = 1,
                        .ttl = ttl,
                        .len = (uint32_t)wire_out_len(&out),
                        .wire = c->scratch};
    bool own = name_eq(&owner, &c->packet->query->name);
    if (!packet_rrset(c->packet, section, own ? NULL : &owner, &set, 0)) {
        c->cut = c->cut || section != SECTION_ADDITIONAL;
    }
    return 0;
}

/* The question must be the one that was asked. */
static int check_question(struct copying *c, const struct unresolved *query)
{
    struct name name;

    if (name_read(&c->in, &name) || !name_eq(&name, &query->name)) {
        return ERR_SYNTAX;
    }
    return wire_get_u16(&c->in) == query->type && wire_get_u16(&c->in) == CLASS_IN && !c->in.failed
               ? 0
               : ERR_SYNTAX;
}

/* Copies the message. Returns 0 or ERR_SYNTAX. A message without a question has an rcode and
 * nothing else. */
static int copy_message(struct copying *c, const struct unresolved *query)
{
    uint16_t counts[SECTIONS];

    wire_get(&c->in, 4);
    uint16_t questions = wire_get_u16(&c->in);
    for (unsigned i = 0; i < SECTIONS; i++) {
        counts[i] = wire_get_u16(&c->in);
    }
    if (c->in.failed || questions > 1 || (questions == 1 && check_question(c, query))) {
        return ERR_SYNTAX;
    }
    for (unsigned section = 0; section < SECTIONS && questions; section++) {
        for (unsigned i = 0; i < counts[section] && !c->cut; i++) {
            if (copy_record(c, (enum section)section)) {
                return ERR_SYNTAX;
            }
        }
    }
    return 0;
}

/* ---- the response ---- */

/* Our part of the chain stands where it stood, so its pointers hold. */
static void put_chain(struct packet *packet, const struct unresolved *query)
{
    wire_put_bytes(&packet->out, query->bytes + query->packet_len, query->chain_len);
    packet->counts[SECTION_ANSWER] = query->chain_count;
}

static bool has_answer(const struct resolution *r, bool checking_disabled)
{
    return (r->rcode == RCODE_NOERROR || r->rcode == RCODE_NXDOMAIN) &&
           (!r->bogus || checking_disabled);
}

static enum ede ede_of(const struct resolution *r)
{
    return r->bogus ? EDE_DNSSEC_BOGUS : r->ede == EDE_NONE ? EDE_NO_REACHABLE_AUTHORITY : r->ede;
}

/* The records of an answer, or none and the code that says so. Returns flags. */
static unsigned put_answer(struct packet *packet, const struct unresolved *query,
                           const struct resolution *r, uint8_t *scratch, unsigned *rcode)
{
    const struct query *asked = packet->query;
    struct packet_mark empty;
    struct copying c = {
        .packet = packet,
        .in = wire_in_of(r->message.at, r->message.len),
        .scratch = scratch,
        .asked = asked->type,
        .dnssec = asked->edns.present && asked->edns.dnssec_ok,
    };

    packet_mark(packet, &empty);
    *rcode = r->rcode;
    if (!has_answer(r, asked->flags & FLAG_CD) || !r->message.len) {
        *rcode = has_answer(r, true) ? RCODE_SERVFAIL : r->rcode;
        packet->opt.ede = ede_of(r);
        return 0;
    }
    put_chain(packet, query);
    if (copy_message(&c, query)) {
        packet_undo(packet, &empty);
        *rcode = RCODE_SERVFAIL;
        packet->opt.ede = EDE_OTHER;
        return 0;
    }
    if (c.cut || packet->out.failed) {
        packet_undo(packet, &empty);
        return FLAG_TC;
    }
    bool wants_ad = c.dnssec || (asked->flags & FLAG_AD); /* RFC 6840 5.8 */
    return (query->authoritative ? FLAG_AA : 0u) |
           (r->secure && wants_ad && query->chain_count == 0 ? FLAG_AD : 0u);
}

size_t resolved_write(const struct unresolved *u, const struct resolution *resolution, void *room,
                      uint8_t *scratch, struct answer_note *note)
{
    struct query query;
    struct packet packet;
    unsigned rcode;

    CHECK(query_read(unresolved_packet(u), &query) == RCODE_NOERROR);
    packet.opt = (struct edns_reply){
        .cookie = u->has_cookie ? u->cookie : NULL,
        .nsid = span_of(u->nsid, u->nsid_len),
        .keepalive = u->keepalive,
        .ede = EDE_NONE,
        .scope = u->scope,
    };
    packet_begin(&packet, &query, room, answer_limit(&query, u->tcp));
    unsigned flags = put_answer(&packet, u, resolution, scratch, &rcode);
    *note = u->note;
    note->rcode = (uint16_t)rcode;
    note->truncated = (flags & FLAG_TC) != 0;
    note->scope = u->scope;
    return packet_finish(&packet, rcode, flags | FLAG_RA | (query.flags & FLAG_CD));
}
