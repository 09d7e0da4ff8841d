/* compile_glue - reports delegations whose name servers need addresses that are not configured. */
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
 * (RFC 1034 4.2.1). */
static void check_delegation(struct compiler *c, const struct name_row *row,
                             const struct name *apex, const struct name *owner)
{
    bool is_delegation = !name_eq(owner, apex);

    for (size_t i = 0; i < row->record_count && is_delegation; i++) {
        struct name host;
        char text[NAME_TEXT_MAX];
        const char *what;
        if (record_parse(span_str(row->records[i]), apex, c->record, &what) ||
            c->record->type != TYPE_NS) {
            continue;
        }
        name_load(&host, c->record->data);
        if (name_is_below(&host, owner) && !has_address(c->settings->zones, &host)) {
            COMPLAIN(c, "records", i,
                     "the name server %s lies below what it serves, and has no address here; "
                     "expected A or AAAA records for it",
                     name_text(&host, text));
        }
    }
}

void compile_check_glue(struct compiler *c, const struct zone_row *zone)
{
    compile_each_name(c, zone, check_delegation);
}
