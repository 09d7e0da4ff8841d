/* compile_alias - reports CNAMEs that form a loop, and chains too long for one answer. */
#include "dnsredir/answer/answer_parts.h"
#include "dnsredir/config/compile_parts.h"
#include "dnsredir/steering/policy.h"

/* Longer chains are not followed. */
#define STEPS_MAX 1000

/* The target of the CNAME of `name`. False: it has none. */
static bool next_of(const struct zones *zones, const struct name *name, struct name *out)
{
    struct zone_hit hit = zones_find(zones, name);
    const struct rrset *set =
        hit.match == ZONE_NODE ? rrset_find(hit.node->sets, TYPE_CNAME) : NULL;

    if (set) {
        name_load(out, set->wire + RR_FIXED_LEN);
    }
    return set != NULL;
}

/* How many CNAMEs lead from `name` to `end`. 0: none do, and *length is the length of the chain. */
static unsigned steps_to(const struct zones *zones, const struct name *name, const struct name *end,
                         unsigned *length)
{
    struct name at = *name;

    *length = 0;
    for (unsigned n = 1; n <= STEPS_MAX && next_of(zones, &at, &at); n++) {
        if (name_eq(&at, end)) {
            return n;
        }
        *length = n;
    }
    return 0;
}

/* Checks one CNAME of the row. */
static void check_alias(struct compiler *c, size_t index, const struct name *target)
{
    char text[NAME_TEXT_MAX];
    unsigned length;
    unsigned circle = steps_to(c->settings->zones, target, target, &length);

    if (circle) {
        COMPLAIN(c, "records", index,
                 "the alias %s leads back to itself, by %u name%s; expected names that end with "
                 "other records",
                 name_text(target, text), circle, circle == 1 ? "" : "s");
    } else if (length >= CHAIN_MAX && length < STEPS_MAX) {
        conf_remark(c->at, "records", index,
                    "a chain of %u aliases; an answer holds %d of them, and resolvers ask again "
                    "for the others",
                    length + 1, CHAIN_MAX);
    }
}

static void check_records(struct compiler *c, const struct name_row *row, const struct name *apex)
{
    const char *what;

    for (size_t i = 0; i < row->record_count; i++) {
        struct name target;
        if (record_parse(span_str(row->records[i]), apex, c->record, &what) == 0 &&
            c->record->type == TYPE_CNAME) {
            name_load(&target, c->record->data);
            check_alias(c, i, &target);
        }
    }
}

/* Reports replicas whose target is the name that is steered to them. */
static void check_targets(struct compiler *c, const struct name_row *row, const struct name *owner)
{
    const struct settings *s = c->settings;
    size_t count = row->replica_count ? row->replica_count : s->replica_count;
    unsigned length;

    for (size_t i = 0; row->compiled && row->compiled->targets && i < count; i++) {
        int id =
            row->replica_count ? compile_find_replica(c, "replicas", i, row->replicas[i]) : (int)i;
        const struct name *target = id < 0 ? NULL : s->replicas[id].target;
        if (target && (name_eq(target, owner) || steps_to(s->zones, target, owner, &length))) {
            COMPLAIN(
                c, "policy", 0,
                "the target of \"%s\" leads back to this name; expected replicas whose targets "
                "have addresses",
                s->replicas[id].name);
        }
    }
}

static void check_aliases(struct compiler *c, const struct name_row *row, const struct name *apex,
                          const struct name *owner)
{
    check_records(c, row, apex);
    check_targets(c, row, owner);
}

void compile_check_aliases(struct compiler *c, const struct zone_row *zone)
{
    compile_each_name(c, zone, check_aliases);
}
