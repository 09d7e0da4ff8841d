#include "dnsredir/admin/explain.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "dnsredir/admin/admin.h"
#include "dnsredir/admin/ranking_source.h"
#include "dnsredir/admin/response_json.h"

#include <jansson.h>

/* Candidates that are shown; the others are counted. */
#define SHOWN_MAX 64

/* ---- the question ---- */

struct question {
    struct name name;
    uint16_t type;
    struct prefix client;
    bool has_client;
};

static const char *refused(struct buf *out, const char *why)
{
    json_t *root = json_pack("{s:s}", "error", why);
    char *text = json_dumps(root, JSON_INDENT(2));

    buf_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
    return admin_refused;
}

/* Reads the question from the query of the URL. Returns NULL, or what is wrong with it. */
static const char *read_question(struct span query, struct question *out)
{
    char text[ADMIN_FIELD_MAX];
    const char *what = NULL;
    size_t len;

    *out = (struct question){.type = TYPE_A};
    if (!admin_field(query, SPAN("name"), text, &len) ||
        name_parse_absolute(span_of(text, len), &out->name)) {
        return "which name? expected a domain name such as www.example.net";
    }
    if (admin_field(query, SPAN("type"), text, &len) &&
        !response_type(span_of(text, len), &out->type)) {
        return "no such type; expected A, AAAA, ... or TYPE65";
    }
    out->has_client = admin_field(query, SPAN("client"), text, &len);
    if (out->has_client && prefix_parse(span_of(text, len), &out->client, &what)) {
        return "no such client; expected an address or a prefix such as 10.1.0.0/16";
    }
    return NULL;
}

/* The length of the client's prefix in its own address family. */
static unsigned client_bits(const struct question *q)
{
    return q->client.bits - (ip_is_v4(&q->client.ip) ? 96u : 0u);
}

/* The query that a resolver would send, with the client's network. */
static size_t write_query(const struct question *q, uint8_t *room, size_t len)
{
    struct wire_out out = wire_out_of(room, len);
    bool v4 = ip_is_v4(&q->client.ip);
    size_t octets = q->has_client ? (client_bits(q) + 7) / 8 : 0;

    wire_put_u16(&out, 0);
    wire_put_u16(&out, FLAG_RD);
    wire_put_u16(&out, 1);
    wire_put_u32(&out, 0);
    wire_put_u16(&out, 1);
    wire_put_bytes(&out, q->name.at, q->name.len);
    wire_put_u16(&out, q->type);
    wire_put_u16(&out, CLASS_IN);
    wire_put_u8(&out, 0);
    wire_put_u16(&out, TYPE_OPT);
    wire_put_u16(&out, DNS_UDP_MAX);
    wire_put_u32(&out, 0);
    wire_put_u16(&out, q->has_client ? (uint16_t)(8 + octets) : 0);
    if (q->has_client) {
        wire_put_u16(&out, 8); /* client subnet */
        wire_put_u16(&out, (uint16_t)(4 + octets));
        wire_put_u16(&out, v4 ? 1 : 2);
        wire_put_u8(&out, (uint8_t)client_bits(q));
        wire_put_u8(&out, 0);
        wire_put_bytes(&out, q->client.ip.at + (v4 ? 12 : 0), octets);
    }
    CHECK(!out.failed);
    return wire_out_len(&out);
}

/* ---- candidates ---- */

/* The order in which they would be given if all were up and none too full: choose() is asked again
 * and again, each time without those it has named. Returns how many. */
static size_t order_candidates(const struct policy *policy, const struct choice_input *input,
                               uint16_t *out)
{
    struct standing *standing = xcalloc(1, sizeof(*standing));
    struct choice_input mine = *input;
    struct choice choice;
    size_t count = 0;

    standing->open = standing->alive = policy->member_set;
    mine.standing = standing;
    mine.explores = false;
    for (;;) {
        choose(policy, &mine, &choice);
        if (choice.level != CHOICE_OPEN || choice.picked == 0) {
            break;
        }
        for (unsigned i = 0; i < choice.picked; i++) {
            out[count++] = choice.ids[i];
            replica_set_put(&standing->open, choice.ids[i], false);
        }
    }
    free(standing);
    return count;
}

static bool is_picked(const struct answer_note *note, unsigned replica)
{
    for (unsigned i = 0; i < note->picked; i++) {
        if (note->ids[i] == replica) {
            return true;
        }
    }
    return false;
}

/* Does the policy put all available replicas into an answer, until it is full? */
static bool gives_all(const struct policy *policy, const struct choice_input *input)
{
    return policy->kind == POLICY_STATIC ||
           (policy->kind == POLICY_NEAREST && !input->ranking->ordered);
}

static bool is_listed(const struct ranking *ranking, unsigned replica)
{
    for (unsigned i = 0; i < ranking->listed; i++) {
        if (ranking->ids[i] == replica) {
            return true;
        }
    }
    return false;
}

/* Had the answer room for one more replica? Then all candidates were considered, and one that is
 * not in the answer could not be given. In an ordered ranking this is true only of the replicas
 * that it lists. */
static bool had_room_for(const struct policy *policy, const struct choice_input *input,
                         const struct answer_note *note, unsigned replica)
{
    unsigned wanted = policy->targets ? 1 : policy->answers;
    unsigned got = 0;

    for (unsigned i = 0; i < note->picked; i++) {
        got += policy_record_count(policy, input->v6, note->ids[i]);
    }
    if (wanted ? got >= wanted : !gives_all(policy, input) || note->picked == ANSWERS_MAX) {
        return false;
    }
    return policy->kind != POLICY_NEAREST || gives_all(policy, input) ||
           is_listed(input->ranking, replica);
}

/* Was it passed over, and not just behind those that were given? That is so of all that came before
 * the last one given, that there was room for, or that may not be given. */
static bool is_passed_over(const struct answer_trace *trace, const struct answer_note *note,
                           unsigned given, unsigned replica)
{
    return given < note->picked || had_room_for(trace->policy, &trace->input, note, replica) ||
           !replica_set_has(&trace->input.standing->open, replica);
}

/* Why it was not given although it might have been. */
static void add_fault(const struct status *status, const struct choice_input *input,
                      unsigned replica, json_t *row)
{
    const char *reason;
    const char *state = status_state(status, replica, &reason);

    if (!replica_set_has(&input->standing->alive, replica)) {
        json_object_set_new(
            row, "why", json_sprintf("%s%s%s", state, reason ? ": " : "", reason ? reason : ""));
    } else if (!replica_set_has(&input->standing->open, replica)) {
        json_object_set_new(row, "why", json_sprintf("draining: %s", reason ? reason : "by hand"));
    } else if (replica_set_has(&input->standing->throttled, replica)) {
        json_object_set_new(row, "why", json_string("too full for this client"));
    } else {
        json_object_set_new(row, "why", json_string("others come first at this moment"));
    }
}

static json_t *candidate_json(const struct status *status, const struct choice_input *input,
                              unsigned replica)
{
    const char *reason;
    const char *state = status_state(status, replica, &reason);
    json_t *row = json_pack("{s:s, s:s, s:s?}", "replica", status->settings->replicas[replica].name,
                            "state", state, "reason", reason);
    const struct roster_report *r = &status->replicas[replica];

    json_object_set_new(row, "keeps",
                        json_real((double)input->standing->keep[replica] / STANDING_ALL));
    if (!replica_set_has(&input->standing->throttled, replica)) {
        json_object_set_new(row, "keeps", json_real(1));
    }
    if (r->shares) {
        json_object_set_new(row, "of_fair_share", json_real(r->fair > 0 ? r->load / r->fair : 0));
    }
    return row;
}

static json_t *candidates_json(const struct status *status, const struct answer_trace *trace,
                               const struct answer_note *note)
{
    const struct policy *policy = trace->policy;
    uint16_t *order = xcalloc(REPLICAS_MAX, sizeof(*order));
    size_t count = order_candidates(policy, &trace->input, order);
    unsigned given = 0;
    json_t *list = json_array();

    for (size_t i = 0; i < count && i < SHOWN_MAX; i++) {
        json_t *row = candidate_json(status, &trace->input, order[i]);
        bool picked = is_picked(note, order[i]);
        given += picked;
        bool passed = !picked && is_passed_over(trace, note, given, order[i]);
        json_object_set_new(row, "verdict",
                            json_string(picked   ? "given"
                                        : passed ? "passed over"
                                                 : "not needed"));
        if (passed) {
            add_fault(status, &trace->input, order[i], row);
        }
        json_array_append_new(list, row);
    }
    for (unsigned i = 0; i < policy->member_count && json_array_size(list) < SHOWN_MAX; i++) {
        if (policy_record_count(policy, trace->input.v6, policy->members[i]) == 0) {
            json_t *row = candidate_json(status, &trace->input, policy->members[i]);
            json_object_set_new(row, "verdict", json_string("passed over"));
            json_object_set_new(row, "why", json_string("it has no address of this family"));
            json_array_append_new(list, row);
        }
    }
    free(order);
    return list;
}

/* ---- the page ---- */

static void add_place(const struct view *view, const struct name *name, json_t *root)
{
    static const char *const words[] = {"no zone of ours", "the name", "no such name",
                                        "a delegation"};
    struct zone_hit hit = zones_find(view->zones, name);
    char text[NAME_TEXT_MAX];

    json_object_set_new(root, "match", json_string(words[hit.match]));
    if (hit.zone) {
        json_object_set_new(root, "zone", json_string(name_text(&hit.zone->apex, text)));
    }
    if (hit.match == ZONE_NODE || hit.match == ZONE_CUT) {
        bool wildcard = hit.match == ZONE_NODE && !node_is(hit.node, name);
        struct name owner;
        node_name(hit.node, &owner);
        json_object_set_new(root, "owner", json_string(name_text(&owner, text)));
        json_object_set_new(root, "wildcard", json_boolean(wildcard));
    }
}

static void add_ranking(const struct status *status, const struct view *view,
                        const struct question *q, const struct answer_trace *trace, bool measured,
                        json_t *root)
{
    char text[PREFIX_TEXT_MAX];

    if (trace->policy->kind != POLICY_NEAREST) {
        return;
    }
    unsigned bits = client_bits(q);
    struct ranking_source source =
        ranking_source_find(status->settings, view, trace->policy, &q->client.ip, bits, measured);
    json_t *ranking = json_pack("{s:s, s:i}", "origin", ranking_source_words[source.kind], "scope",
                                (int)source.scope);
    if (source.has_prefix) {
        json_object_set_new(ranking, "prefix", json_string(prefix_text(&source.prefix, text)));
    }
    if (source.region) {
        json_object_set_new(ranking, "region", json_string(source.region));
    }
    json_object_set_new(root, "ranking", ranking);
}

static void add_choice(const struct status *status, const struct view *view,
                       const struct question *q, const struct answer_trace *trace,
                       const struct answer_note *note, json_t *root)
{
    static const char *const levels[CHOICE_LEVELS] = {
        [CHOICE_OPEN] = "up, and not too full",
        [CHOICE_FULL] = "all are too full: the first of them",
        [CHOICE_DRAINING] = "only draining ones are up",
        [CHOICE_DOWN] = "none is up: the best known anyway",
    };
    char text[NAME_TEXT_MAX];

    json_object_set_new(root, "policy",
                        json_pack("{s:s, s:i, s:i}", "kind", policy_words[trace->policy->kind],
                                  "ttl", (int)trace->policy->ttl, "answers",
                                  (int)trace->policy->answers));
    json_object_set_new(root, "steered", json_string(name_text(&trace->name, text)));
    json_object_set_new(root, "redirected",
                        json_boolean(zones_find(view->zones, &trace->name).match == ZONE_NONE));
    add_ranking(status, view, q, trace, note->measured, root);
    json_object_set_new(root, "explored", json_boolean(note->explored));
    json_object_set_new(root, "level", json_string(levels[note->level]));
    json_object_set_new(root, "spilled", json_boolean(note->spilled));
    json_object_set_new(root, "candidates", candidates_json(status, trace, note));
}

static json_t *explain(const struct status *status, const struct view *view,
                       const struct question *q, uint8_t *room)
{
    uint8_t packet[DNS_UDP_PLAIN];
    char text[NAME_TEXT_MAX];
    struct deferral deferral;
    struct answer_trace trace = {0};
    struct answer_note note;
    struct client client = {
        .ip = q->client.ip,
        .tcp = true,
        .now = (uint32_t)clock_wall(),
        .deferral = &deferral,
        .trace = &trace,
    };
    size_t len =
        answer(view, &client, span_of(packet, write_query(q, packet, sizeof(packet))), room, &note);
    json_t *root = json_object();

    json_object_set_new(root, "name", json_string(name_text(&q->name, text)));
    json_object_set_new(root, "type", response_type_json(q->type));
    json_object_set_new(root, "client", json_string(prefix_text(&q->client, text)));
    add_place(view, &q->name, root);
    if (trace.chosen) {
        add_choice(status, view, q, &trace, &note, root);
    }
    json_object_set_new(root, "resolved", json_boolean(note.deferred));
    if (!note.deferred) {
        json_object_set_new(root, "scope", json_integer(note.scope));
        json_object_set_new(root, "answer", response_json(span_of(room, len)));
    }
    return root;
}

const char *explain_page(const struct status *status, const struct view *view, struct span query,
                         struct buf *out)
{
    struct question q;
    const char *fault = read_question(query, &q);

    if (fault) {
        return refused(out, fault);
    }
    if (!q.has_client) {
        CHECK(ip_parse(SPAN("127.0.0.1"), &q.client.ip) == 0);
        q.client.bits = 128;
    }
    uint8_t *room = xmalloc(DNS_MESSAGE_MAX);
    json_t *root = explain(status, view, &q, room);
    char *text = json_dumps(root, JSON_INDENT(2));
    CHECK(text != NULL);
    buf_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
    free(room);
    return "application/json";
}
