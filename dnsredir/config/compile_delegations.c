/* compile_delegations - checks what is configured at and below delegated names. */
#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/config/compile_parts.h"

/* Has the name an address record? Below a delegation only configured records count: referrals
 * contain neither addresses chosen by a policy nor dynamic ones. */
static bool has_address(const struct zones *zones, const struct name *host)
{
    const struct rrset *sets = zones_known(zones, host);

    return rrset_find(sets, TYPE_A) || rrset_find(sets, TYPE_AAAA);
}

/* A resolver finds a name server below its own delegation only if the referral contains its address
 * (RFC 1034 4.2.1). `c->record` is NS record `index` of the row. */
static void check_glue(struct compiler *c, size_t index, const struct name *owner)
{
    struct name host;
    char text[NAME_TEXT_MAX];

    name_load(&host, c->record->data);
    if (name_is_below(&host, owner) && !has_address(c->settings->zones, &host)) {
        COMPLAIN(c, "records", index,
                 "the name server %s lies below what it serves, and has no address here; "
                 "expected A or AAAA records for it",
                 name_text(&host, text));
    }
}

/* The name itself, or a name above it that is delegated away from this server; or NULL. */
static const struct node *find_delegation(struct compiler *c, const struct name *owner)
{
    struct zone_hit hit = zones_find(c->settings->zones, owner);

    return hit.match == ZONE_CUT ? hit.node : NULL;
}

static void check_records(struct compiler *c, const struct name_row *row, const struct name *apex,
                          const struct name *owner)
{
    const struct node *delegation = find_delegation(c, owner);
    bool is_delegated = delegation && node_is(delegation, owner);

    for (size_t i = 0; i < row->record_count; i++) {
        const char *what;
        if (record_parse(span_str(row->records[i]), apex, c->record, &what)) {
            continue;
        }
        if (c->record->type == TYPE_NS && is_delegated) {
            check_glue(c, i, owner);
        }
        if (c->record->type == TYPE_DS && !is_delegated) { /* RFC 4035 2.4 */
            COMPLAIN(c, "records", i,
                     "a DS record describes a delegation, and \"%s\" is none; expected NS records "
                     "beside it, or the DS record of a zone in the zone above",
                     row->name);
        }
    }
}

/* Queries for the name get a referral, so that neither would ever be answered from. */
static void check_use(struct compiler *c, const struct name_row *row, const struct name *owner)
{
    const struct node *delegation = find_delegation(c, owner);
    struct name name;
    char text[NAME_TEXT_MAX];

    if (delegation && (row->steered || row->has_update)) {
        node_name(delegation, &name);
        COMPLAIN(c, row->steered ? "policy" : "update", 0,
                 "%s is delegated to other name servers, which answer for \"%s\"; expected a name "
                 "outside of it",
                 name_text(&name, text), row->name);
    }
}

static void check_name(struct compiler *c, const struct name_row *row, const struct name *apex,
                       const struct name *owner)
{
    check_records(c, row, apex, owner);
    check_use(c, row, owner);
}

void compile_check_delegations(struct compiler *c, const struct zone_row *zone)
{
    compile_each_name(c, zone, check_name);
}
