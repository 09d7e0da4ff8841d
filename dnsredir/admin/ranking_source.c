#include "dnsredir/admin/ranking_source.h"

#include "dnsredir/steering/geo.h"

const char *const ranking_source_words[RANKING_SOURCE_KINDS] = {
    [RANKING_SOURCE_NAME_MAP] = "the map of the name",  [RANKING_SOURCE_MAP] = "nearest.map",
    [RANKING_SOURCE_MEASURED] = "measured round trips", [RANKING_SOURCE_DISTANCE] = "distance",
    [RANKING_SOURCE_REGION] = "region default",         [RANKING_SOURCE_NONE] = "nothing is known",
};

/* The longest prefix so far that has the whole network or, when `partly`, its first address. */
struct search {
    struct ip ip;
    unsigned bits; /* length of the prefix, of 128 */
    bool found, partly;
    struct prefix best;
};

static bool offer(struct search *s, const struct prefix *prefix)
{
    bool whole = prefix->bits <= s->bits;

    if (!prefix_has(prefix, &s->ip) || (s->found && !s->partly && !whole)) {
        return false;
    }
    if (s->found && prefix->bits < s->best.bits && !(s->partly && whole)) {
        return false;
    }
    s->found = true;
    s->partly = !whole;
    s->best = *prefix;
    return true;
}

static void offer_map(struct search *s, const struct settings *settings, const struct map_row *row)
{
    if (row->has_prefix || !row->region) {
        offer(s, &row->prefix);
        return;
    }
    for (size_t i = 0; i < settings->region_count; i++) {
        const struct region_row *region = &settings->regions[i];
        for (size_t n = 0; n < region->prefix_count && strcmp(region->name, row->region) == 0;
             n++) {
            offer(s, &region->prefixes[n]);
        }
    }
}

/* The rows of the names that have this policy: one, unless it stands in many zones. */
static void search_names(struct search *s, const struct settings *settings,
                         const struct policy *policy)
{
    for (size_t z = 0; z < settings->zone_count; z++) {
        for (size_t i = 0; i < settings->zone_rows[z].name_count; i++) {
            const struct name_row *name = &settings->zone_rows[z].names[i];
            for (size_t n = 0; n < name->map_count && name->compiled == policy; n++) {
                offer_map(s, settings, &name->map_rows[n]);
            }
        }
    }
}

static void search_maps(struct search *s, const struct settings *settings)
{
    for (size_t i = 0; i < settings->nearest.prefix_count; i++) {
        offer(s, &settings->nearest.prefixes[i]);
    }
}

static const char *search_regions(struct search *s, const struct settings *settings)
{
    const char *name = NULL;

    for (size_t i = 0; i < settings->region_count; i++) {
        const struct region_row *region = &settings->regions[i];
        for (size_t n = 0; n < region->prefix_count && region->replica_count; n++) {
            name = offer(s, &region->prefixes[n]) ? region->name : name;
        }
    }
    return name;
}

static struct ranking_source found(enum ranking_source_kind kind, const struct search *s,
                                   const char *region)
{
    return (struct ranking_source){
        .kind = kind, .has_prefix = s->found, .prefix = s->best, .region = region};
}

static struct ranking_source find(const struct settings *settings, const struct policy *policy,
                                  const struct search *blank, bool own)
{
    struct search s = *blank;
    struct prefix network;

    if (own) {
        search_names(&s, settings, policy);
        return found(RANKING_SOURCE_NAME_MAP, &s, NULL);
    }
    search_maps(&s, settings);
    if (s.found) {
        return found(RANKING_SOURCE_MAP, &s, NULL);
    }
    const char *region = search_regions(&s, settings);
    bool placed = settings->geoip && geo_find(settings->geoip, &s.ip, &network);
    if (placed && (!s.found || network.bits >= s.best.bits)) {
        return (struct ranking_source){
            .kind = RANKING_SOURCE_DISTANCE, .has_prefix = true, .prefix = network};
    }
    return found(s.found ? RANKING_SOURCE_REGION : RANKING_SOURCE_NONE, &s, region);
}

struct ranking_source ranking_source_find(const struct settings *settings, const struct view *view,
                                          const struct policy *policy, const struct ip *ip,
                                          unsigned bits, bool measured)
{
    struct search blank = {.ip = *ip, .bits = bits + (ip_is_v4(ip) ? 96 : 0)};
    struct netmap_hit hit = {NETMAP_NONE, 0};
    unsigned scope = 0;

    if (policy->overrides) {
        hit = netmap_find(policy->overrides, ip, bits);
        scope = hit.scope;
    }
    bool own = hit.value != NETMAP_NONE;
    if (!own && view->measured) {
        hit = netmap_find(view->measured->map, ip, bits);
        scope = hit.scope > scope ? hit.scope : scope;
    }
    if (!own && !measured) {
        hit = netmap_find(view->nearest, ip, bits);
        scope = hit.scope > scope ? hit.scope : scope;
    }
    struct ranking_source source = {.kind = RANKING_SOURCE_MEASURED};
    if (!measured) {
        source = find(settings, policy, &blank, own);
    }
    source.scope = scope;
    return source;
}
