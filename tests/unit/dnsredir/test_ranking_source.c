#include "dialogue.h"

#include "dnsredir/admin/ranking_source.h"

#include <criterion/criterion.h>

#define WORLD                                                                                      \
    "replicas:\n"                                                                                  \
    "  - { name: fra, addresses: 192.0.2.10 }\n"                                                   \
    "  - { name: nyc, addresses: 198.51.100.10 }\n"                                                \
    "nearest:\n"                                                                                   \
    "  map: [{ prefix: 10.0.0.0/8, replica: fra }, { prefix: 10.1.0.0/16, replica: nyc }]\n"       \
    "  regions:\n"                                                                                 \
    "    - { name: eu, prefixes: [172.16.0.0/12, 10.9.0.0/16], replica: fra }\n"                   \
    "    - { name: lab, prefixes: \"2001:db8::/32\" }\n"                                           \
    "zones:\n"                                                                                     \
    "  - name: ex\n"                                                                               \
    "    nameservers: ns.ex\n"                                                                     \
    "    names:\n"                                                                                 \
    "      - { name: www, policy: nearest }\n"                                                     \
    "      - { name: own, policy: nearest, map: [{ prefix: 10.1.2.0/24, replica: fra },\n"         \
    "                                            { region: lab, replica: nyc }] }\n"

Test(ranking_source, what_decided)
{
    static const struct {
        const char *what, *client;
        unsigned name;
        enum ranking_source_kind kind;
        const char *prefix; /* NULL: none */
        const char *region;
        unsigned scope;
    } rows[] = {
        {"the longest prefix", "10.1.2.0/24", 0, RANKING_SOURCE_MAP, "10.1.0.0/16", NULL, 16},
        {"the shorter one", "10.2.0.0/16", 0, RANKING_SOURCE_MAP, "10.0.0.0/8", NULL, 15},
        {"a map before a region", "10.9.1.0/24", 0, RANKING_SOURCE_MAP, "10.0.0.0/8", NULL, 13},
        {"a network larger than the prefix", "10.0.0.0/12", 0, RANKING_SOURCE_MAP, "10.0.0.0/8",
         NULL, 16},
        {"a region", "172.17.0.0/16", 0, RANKING_SOURCE_REGION, "172.16.0.0/12", "eu", 12},
        {"nothing", "192.0.2.0/24", 0, RANKING_SOURCE_NONE, NULL, NULL, 2},
        {"the map of the name", "10.1.2.7", 1, RANKING_SOURCE_NAME_MAP, "10.1.2.0/24", NULL, 24},
        {"a region in it", "2001:db8:7::/48", 1, RANKING_SOURCE_NAME_MAP, "2001:db8::/32", NULL,
         32},
        {"beside it", "10.1.3.0/24", 1, RANKING_SOURCE_MAP, "10.1.0.0/16", NULL, 24},
    };
    struct dialogue d;

    dialogue_init(&d, WORLD);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policy *policy = d.settings->zone_rows[0].names[rows[i].name].compiled;
        struct prefix client;
        const char *what;
        char text[PREFIX_TEXT_MAX];
        cr_assert_eq(prefix_parse(span_str(rows[i].client), &client, &what), 0);
        struct ranking_source got =
            ranking_source_find(d.settings, &d.view, policy, &client.ip,
                                client.bits - (ip_is_v4(&client.ip) ? 96u : 0u), false);
        cr_expect_eq(got.kind, rows[i].kind, "%s: %s", rows[i].what,
                     ranking_source_words[got.kind]);
        cr_expect_eq(got.has_prefix, rows[i].prefix != NULL, "%s", rows[i].what);
        if (got.has_prefix && rows[i].prefix) {
            cr_expect_str_eq(prefix_text(&got.prefix, text), rows[i].prefix, "%s: %s", rows[i].what,
                             text);
        }
        cr_expect((got.region == NULL) == (rows[i].region == NULL), "%s", rows[i].what);
        cr_expect_eq(got.scope, rows[i].scope, "%s: %u", rows[i].what, got.scope);
    }
    dialogue_fini(&d);
}
