#include "dnsredir/health/roster.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "dnsredir/zone/update.h"

struct member {
    char *name; /* NULL: free */
    bool drained;
    bool draining;     /* state seen last: draining by the operator or by its own report */
    uint64_t since_ms; /* since when */
    bool returned;     /* it was draining before, for so long that its clients had left */
    double level;
};

struct roster {
    const struct settings *settings;
    struct member members[REPLICAS_MAX]; /* by slot */
    uint16_t slots[REPLICAS_MAX];        /* by replica of the settings */
    struct replica_set lacking_address;  /* replicas whose target updates have given no address */
    uint64_t stepped;                    /* time of the last step */
};

struct roster *roster_new(void)
{
    return xcalloc(1, sizeof(struct roster));
}

void roster_free(struct roster **roster)
{
    if (*roster) {
        for (size_t i = 0; i < REPLICAS_MAX; i++) {
            free((*roster)->members[i].name);
        }
        free(*roster);
        *roster = NULL;
    }
}

static bool is_named(const struct member *member, const char *name)
{
    return member->name && strcmp(member->name, name) == 0;
}

static bool is_configured(const struct settings *settings, const struct member *member)
{
    for (size_t i = 0; member->name && i < settings->replica_count; i++) {
        if (is_named(member, settings->replicas[i].name)) {
            return true;
        }
    }
    return false;
}

/* The slot of a name: its own, a free one, or that of a replica that is no longer configured. */
static uint16_t slot_of(struct roster *roster, const char *name)
{
    size_t at = REPLICAS_MAX;

    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        if (is_named(&roster->members[i], name)) {
            return (uint16_t)i;
        }
        at = at == REPLICAS_MAX && !roster->members[i].name ? i : at;
    }
    for (size_t i = 0; at == REPLICAS_MAX; i++) {
        CHECK(i < REPLICAS_MAX);
        at = is_configured(roster->settings, &roster->members[i]) ? at : i;
    }
    free(roster->members[at].name);
    roster->members[at] =
        (struct member){.name = xspandup(span_str(name)), .level = LOAD_LEVEL_MAX};
    return (uint16_t)at;
}

void roster_adopt(struct roster *roster, const struct settings *settings)
{
    roster->settings = settings;
    for (size_t i = 0; i < settings->replica_count; i++) {
        roster->slots[i] = slot_of(roster, settings->replicas[i].name);
    }
}

void roster_remember(struct roster *roster, struct span name)
{
    char *text = xspandup(name);

    for (size_t i = 0; i < REPLICAS_MAX; i++) {
        if (!roster->members[i].name || is_named(&roster->members[i], text)) {
            roster->members[slot_of(roster, text)].drained = true;
            break;
        }
    }
    free(text);
}

int roster_drain(struct roster *roster, struct span name, bool drained)
{
    for (size_t i = 0; i < roster->settings->replica_count; i++) {
        struct member *member = &roster->members[roster->slots[i]];
        if (span_eq(span_str(member->name), name)) {
            member->drained = drained;
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

static const struct member *member_of(const struct roster *roster, size_t replica)
{
    return &roster->members[roster->slots[replica]];
}

static bool is_draining(const struct roster *roster, const struct probe_report *report,
                        size_t replica)
{
    return member_of(roster, replica)->drained ||
           replica_set_has(&roster->lacking_address, (unsigned)replica) ||
           roster->settings->replica_rows[replica].drain ||
           (report->has_load && report->load.draining);
}

static bool lacks_address(const struct settings *settings, const struct name *target,
                          const struct dynamic_records *dynamic)
{
    struct zone_hit hit = zones_find(settings->zones, target);

    if (hit.match != ZONE_NODE || !update_rule_has_addresses(hit.node->update)) {
        return false;
    }
    return !rrset_find(hit.node->sets, TYPE_A) && !rrset_find(hit.node->sets, TYPE_AAAA) &&
           !update_find(hit.node->update, dynamic, target, TYPE_A) &&
           !update_find(hit.node->update, dynamic, target, TYPE_AAAA) &&
           !update_find(hit.node->update, dynamic, target, TYPE_CNAME);
}

void roster_note_dynamic(struct roster *roster, const struct dynamic_records *dynamic)
{
    const struct settings *s = roster->settings;

    for (unsigned i = 0; i < s->replica_count; i++) {
        const struct name *target = s->replicas[i].target;
        replica_set_put(&roster->lacking_address, i, target && lacks_address(s, target, dynamic));
    }
}

static void fill_states(const struct roster *roster, const struct probes *probes,
                        struct load_state *states)
{
    const struct settings *s = roster->settings;

    for (size_t i = 0; i < s->replica_count; i++) {
        struct probe_report report = probes_report(probes, i);
        states[i] = (struct load_state){
            .capacity = (double)s->replica_rows[i].capacity,
            .open = report.health.up && !is_draining(roster, &report, i),
            .known = report.has_load && report.meter.known,
            .overload = report.has_load && report.load.overload,
            .load = load_meter_read(&report.meter, s->load.measure),
            .level = member_of(roster, i)->level,
        };
    }
}

void roster_step(struct roster *roster, const struct probes *probes, uint64_t now)
{
    const struct settings *s = roster->settings;
    const struct load_rules rules = {(double)s->load.spill / 100, (double)s->load.easy / 100,
                                     (double)s->load.least};
    struct load_state states[REPLICAS_MAX];

    if (now - roster->stepped < s->load.period) {
        return;
    }
    roster->stepped = now;
    fill_states(roster, probes, states);
    load_step(states, s->replica_count, &rules);
    for (size_t i = 0; i < s->replica_count; i++) {
        roster->members[roster->slots[i]].level = states[i].level;
    }
}

/* A replica that was down or draining until shortly before has no clients yet. */
static double ramped(const struct roster *roster, const struct probe_report *report, size_t replica,
                     uint64_t now)
{
    const struct member *member = member_of(roster, replica);
    uint64_t ramp = roster->settings->load.ramp;
    double level = member->level;

    level = report->returned ? load_ramp(level, now - report->since_ms, ramp) : level;
    return member->returned ? load_ramp(level, now - member->since_ms, ramp) : level;
}

static void note_draining(struct member *member, bool draining, uint64_t now, uint64_t ramp)
{
    if (draining != member->draining) {
        member->returned = !draining && now - member->since_ms >= ramp;
        member->since_ms = now;
        member->draining = draining;
    }
}

void roster_standing(struct roster *roster, const struct probes *probes, uint64_t now,
                     struct standing *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < roster->settings->replica_count; i++) {
        struct probe_report report = probes_report(probes, i);
        bool up = report.health.up, draining = is_draining(roster, &report, i);
        note_draining(&roster->members[roster->slots[i]], draining, now,
                      roster->settings->load.ramp);
        replica_set_put(&out->alive, i, up);
        replica_set_put(&out->open, i, up && !draining);
        load_put_level(out, i, ramped(roster, &report, i, now));
    }
}

void roster_report(const struct roster *roster, const struct probes *probes, uint64_t now,
                   struct roster_report *out)
{
    size_t count = roster->settings->replica_count;
    struct load_state states[REPLICAS_MAX];
    double fair[REPLICAS_MAX];

    fill_states(roster, probes, states);
    load_fair(states, count, fair);
    for (size_t i = 0; i < count; i++) {
        struct probe_report report = probes_report(probes, i);
        out[i] = (struct roster_report){
            .drained = member_of(roster, i)->drained,
            .draining = is_draining(roster, &report, i),
            .lacks_address = replica_set_has(&roster->lacking_address, (unsigned)i),
            .shares = states[i].known && states[i].capacity > 0,
            .load = states[i].load,
            .fair = fair[i],
            .level = ramped(roster, &report, i, now),
        };
    }
}

uint16_t roster_slot(const struct roster *roster, size_t replica)
{
    return roster->slots[replica];
}
