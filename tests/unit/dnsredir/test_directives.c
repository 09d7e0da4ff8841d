#include "dialogue.h"

#include "dnsredir/config/pattern.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#define REPLICAS                                                                                   \
    "replicas: [{name: fra, addresses: 192.0.2.1}, {name: nyc, addresses: 192.0.2.2}]\n"
#define RESOLVER "resolver: {allow: [10.0.0.0/8]}\n"
#define KEY(name) "{name: " name ", secret: AAECAwQFBgcICQoLDA0ODw==}"
#define UPDATES "state: /nowhere\nkeys: [" KEY("k") "]\n"
#define DIGEST "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
#define SECRET "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define FIVE_SECRETS SECRET ", " SECRET ", " SECRET ", " SECRET ", " SECRET
#define ZONE(names) "zones: [{name: ex, nameservers: ns.at, names: [" names "]}]\n"

/* Every line says where, what, and what was expected. */
static void check_form(const char *errors)
{
    struct span rest = span_str(errors);

    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        char text[2048];
        unsigned row, column;
        snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(line));
        char *at = strchr(text, ':');
        cr_expect(at && sscanf(at, ":%u:%u: ", &row, &column) == 2, "no place: %s", text);
        cr_expect(strstr(text, "expected ") || strstr(text, "; did you mean \"") ||
                      strstr(text, "note: "),
                  "no way out: %s", text);
    }
}

Test(directives, faults_are_named)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {REPLICAS, "zones"},
        {"zones: [{name: ex, nameservers: ns.ex, names: [{name: w}]}]",
         "expected a policy, records or update"},
        {ZONE("{name: w, policy: nearest}"), "there are no replicas"},
        {REPLICAS ZONE("{name: w, policy: weighted, replicas: [fra, nyc], weights: [3, 0]}"),
         "out of range"},
        {REPLICAS ZONE("{name: w, policy: weighted, replicas: [fra, nyc], weights: [3]}"),
         ":2:108: 1 weights for 2 replicas"},
        {REPLICAS ZONE("{name: w, policy: weighted, weights: [3, 1]}"),
         "weights of replicas that are not named; expected replicas"},
        {REPLICAS RESOLVER "redirect: [{names: a.org, policy: weighted, weights: [3, 1]}]\n",
         "weights of replicas that are not named; expected replicas"},
        {REPLICAS ZONE("{name: w, policy: nearest, replicas: [fra, nyc], weights: [3, 1]}"),
         "only policy weighted has weights"},
        {"replicas: [{name: a, addresses: 192.0.2.1, capacity: 5}, {name: b, addresses: "
         "192.0.2.2}]\n" ZONE("{name: w, policy: weighted}"),
         ":2:66: \"b\" has no capacity"},
        {"replicas: [{name: a, addresses: 192.0.2.1}, {name: b, target: b.example.org}]\n" ZONE(
             "{name: w, policy: nearest}"),
         ":2:66: \"b\" is given as a CNAME and \"a\" by its addresses"},
        {"replicas: [{name: a, addresses: 192.0.2.1, target: a.example}]\n" ZONE(""),
         "expected one of them"},
        {"replicas: [{name: a, target: a..example}]\n" ZONE(""), ":1:30: \"a..example\" is not"},
        {"replicas: [{name: a, target: '@'}]\n" ZONE(""), ":1:30: \"@\" is not a domain name"},
        {"zones: [{name: ex, nameservers: '@'}]\n", "\"@\" is not a domain name"},
        {"replicas: [{name: a}]\n" ZONE(""),
         "the replica has neither; expected addresses or target"},
        {"replicas: [{name: a, addresses: [192.0.2.1, 0.0.0.0]}]\n" ZONE(""),
         "0.0.0.0 is the unspecified address"},
        {"replicas: [{name: a, addresses: \"::\"}]\n" ZONE(""), ":: is the unspecified address"},
        {"replicas: [{name: a, addresses: 255.255.255.255}]\n" ZONE(""), "the broadcast address"},
        {"replicas: [{name: a, addresses: 239.1.2.3}]\n" ZONE(""),
         "239.1.2.3 is a multicast address"},
        {"replicas: [{name: a, addresses: \"ff02::1\"}]\n" ZONE(""),
         "ff02::1 is a multicast address"},
        {"replicas: [{name: a, target: a.org}]\n" ZONE("{name: '@', policy: static}"),
         "only record"},
        {"replicas: [{name: a, target: a.org}]\n" ZONE(
             "{name: w, policy: static, records: [\"TXT x\"]}"),
         "only record"},
        {REPLICAS ZONE("{name: w, policy: hashed, replicas: [fra, fra]}"), "stands here twice"},
        {REPLICAS ZONE("{name: w, policy: nearest, map: [{region: eu, replica: fra}]}"),
         "no region is called \"eu\""},
        {REPLICAS ZONE("{name: w, policy: nearest, map: [{replica: fra}]}"),
         "neither a prefix nor a region"},
        {REPLICAS ZONE("{name: w, policy: nearest, replicas: nyc, map: [{prefix: 10.0.0.0/8, "
                       "replica: fra}]}"),
         "\"fra\" is not among the replicas of the name"},
        {REPLICAS ZONE("{name: w, policy: nearest, map: [{prefix: 10.0.0.0/8, replica: fra}, "
                       "{prefix: 10.0.0.0/8, replica: nyc}]}"),
         "and first for \"fra\""},
        {REPLICAS ZONE("{name: w, policy: hashed, map: [{prefix: 10.0.0.0/8, replica: fra}]}"),
         "only policy nearest"},
        {REPLICAS "nearest: {regions: [{name: eu, prefixes: 10.0.0.0/8}, {name: eu, prefixes: "
                  "11.0.0.0/8}]}\n" ZONE(""),
         "a second region \"eu\""},
        {REPLICAS ZONE("{name: w, policy: hashed, replicas: [fra, nyx]}"), "did you mean \"nyc\"?"},
        {REPLICAS ZONE("{name: w, policy: hashed, replicas: [fra, nyx]}"), ":2:90: no replica"},
        {REPLICAS "nearest: {map: [{prefix: 10.0.0.0/8, replica: fro}]}\n" ZONE(""),
         ":2:47: no replica is called \"fro\""},
        {REPLICAS "nearest: {measured: {explore: 51%}}\n" ZONE(""), "50%"},
        {REPLICAS "nearest: {measured: {interval: 0}}\n" ZONE(""), "interval"},
        {"cookies: {secrets: abc}\n" ZONE(""), "32 hexadecimal digits"},
        {"cookies: {secrets: [" FIVE_SECRETS "]}\n" ZONE(""),
         ":1:157: one too many; expected at most 4"},
        {"identity: 01234567890123456789012345678901234567890123456789012345678901234\n" ZONE(""),
         "identity"},
        {"redirect: {names: a.example.org}\n" REPLICAS ZONE(""), "expected clients under resolver"},
        {RESOLVER "redirect: {names: www.ex}\n" REPLICAS ZONE(""), "lies in a zone of ours"},
        {RESOLVER "redirect: {names: \"*\"}\n" REPLICAS ZONE(""), "would be all names there are"},
        {RESOLVER "redirect: {names: [\"*.a.b\", \"*.A.b\"]}\n" REPLICAS ZONE(""),
         "redirected twice"},
        {RESOLVER "redirect: {names: a.b}\n" ZONE(""), "no replicas to choose from"},
        {RESOLVER "redirect: {names: a.b, policy: failover}\n" REPLICAS ZONE(""),
         "failover needs an order"},
        {RESOLVER "redirect: {names: a.b}\nreplicas: [{name: x, target: y.example}]\n" ZONE(""),
         "expected replicas with addresses"},
        {"listen: [\"127.0.0.1:5300\"]\nresolver: {allow: 10.0.0.0/8, forward: "
         "\"127.0.0.1:5300\"}\n" ZONE(""),
         "is this server itself"},
        {"listen: [\"0.0.0.0:5300\"]\nresolver: {allow: 10.0.0.0/8, forward: "
         "\"127.0.0.9:5300\"}\n" ZONE(""),
         "is this server itself"},
        {"resolver: {allow: 10.0.0.0/8, trust-anchor: /nonexistent}\n" ZONE(""),
         "trust-anchor \"/nonexistent\" cannot be read"},
        {"resolver: {allow: 10.0.0.0/8, trust-anchor: /etc/passwd}\n" ZONE(""),
         ":1:45: trust-anchor \"/etc/passwd\" has no key; expected DS or DNSKEY records"},
        {"resolver: {allow: 10.0.0.0/8, root-hints: /etc/passwd}\n" ZONE(""),
         ":1:43: root-hints \"/etc/passwd\" has no servers; expected the root's servers"},
        {"state: /nonexistent/folder/\n" ZONE(""),
         ":1:8: the folder /nonexistent, where it would be made, does not exist"},
        {"state: /etc/passwd\n" ZONE(""), ":1:8: /etc/passwd is not a folder"},
        {"state: /etc/passwd/x\n" ZONE(""), ":1:8: /etc/passwd/x is in no folder"},
        {"log: {queries: /nonexistent/log}\n" ZONE(""),
         ":1:16: there is no folder /nonexistent; expected one that exists"},
        {"log: {queries: /etc}\n" ZONE(""), ":1:16: /etc is a folder; expected a file"},
        {"log: {queries: /etc/passwd/x}\n" ZONE(""),
         ":1:16: there is no folder /etc/passwd; expected one that exists"},
        {ZONE("{name: a, records: CNAME a}"),
         ":1:67: the alias a.ex. leads back to itself, by 1 name"},
        {ZONE("{name: a, records: CNAME b}, {name: b, records: CNAME a}"),
         ":1:96: the alias a.ex. leads back to itself, by 2 names"},
        {ZONE("{name: a, records: CNAME b}, {name: b, records: CNAME a}"),
         ":1:67: the alias b.ex. leads back to itself, by 2 names"},
        {ZONE("{name: '*.a', records: CNAME x.a}"), "the alias x.a.ex. leads back to itself"},
        {"zones: [{name: ex, nameservers: ns.ex, names: [{name: a, records: CNAME a.ey.}]}, "
         "{name: ey, nameservers: ns.ex, names: [{name: a, records: CNAME a.ex.}]}]",
         "leads back to itself"},
        {"replicas: [{name: f, target: w.ex}]\n" ZONE("{name: w, policy: static}"),
         ":2:66: the target of \"f\" leads back to this name"},
        {"replicas: [{name: f, target: t.ex}]\n" ZONE(
             "{name: w, policy: static}, {name: t, records: CNAME w}"),
         ":2:66: the target of \"f\" leads back to this name"},
        {"zones: [{name: ex, nameservers: ns.ex, file: ex.zone}]", "\"file\" is not supported yet"},
        {REPLICAS ZONE("{name: w, policy: failover}"), "failover needs an order"},
        {REPLICAS ZONE("{name: w, policy: nearset}"), "did you mean \"nearest\"?"},
        {"zones: [{name: ex, nameservers: ns.ex, soa: {rname: me@ex}}]", "a dot for the @"},
        {"zones: [{name: ex, nameservers: []}]", "\"nameservers\" has no value"},
        {REPLICAS "nearest: {map: [{prefix: 10.0.0.0/8, replica: []}]}\n" ZONE(""),
         "\"replica\" has no value"},
        {REPLICAS "nearest: {map: [{prefix: 10.0.0.0/8, replica: fra}, {prefix: 10.0.0.0/9, "
                  "replica: nyc}, {prefix: 10.0.0.0/8, replica: nyc}]}\n" ZONE(""),
         ":2:98: 10.0.0.0/8 stands in the map twice"},
        {"health: {timeout: 1s}\n" ZONE(""),
         "expected at most 750ms (3/4 of interval, divided by fall)"},
        {"health: {interval: 50ms, timeout: 10ms, fall: 4}\n" ZONE(""), "expected at most 9ms"},
        {"health: {path: readyz}\n" ZONE(""), "expected one such as /readyz"},
        {REPLICAS "nearest: {map-file: /nonexistent}\n" ZONE(""), "/nonexistent"},
        {REPLICAS "nearest: {map-file: /etc}\n" ZONE(""),
         ":2:21: /etc cannot be read: Is a directory"},
        {REPLICAS "nearest: {geoip: /etc/passwd}\n" ZONE(""), ":2:18: /etc/passwd: The MaxMind DB"},
        {ZONE("{name: w, records: [\"A 1.2.3\"]}"), "not an IPv4 address"},
        {ZONE("{name: w, records: [\"A 1.2.3.4 5\"]}"), "more words"},
        {ZONE("{name: w, records: [\"BOGUS x\"]}"), "unknown record type"},
        {ZONE("{name: w, records: ['TYPE65 00']}"), "expected \\# and how many"},
        {ZONE("{name: w, records: ['TYPE65 \\# 3 0000']}"), "not as long as it says"},
        {ZONE("{name: w, records: ['TYPE65 \\# 1 00 00']}"), "not as long as it says"},
        {ZONE("{name: w, records: ['TYPE65 \\# 1 0g']}"), "hexadecimal digits"},
        {ZONE("{name: w, records: ['TYPE65 \\# 60001 00']}"), "how many bytes"},
        {ZONE("{name: w, records: ['TYPE1 \\# 4 01020304']}"), "cannot be written as TYPE"},
        {ZONE("{name: w, records: ['TYPE0 \\# 0']}"), "cannot be written as TYPE"},
        {ZONE("{name: w, records: ['TYPE255 \\# 0']}"), "cannot be written as TYPE"},
        {ZONE("{name: w, records: ['TYPE46 \\# 0']}"), "cannot be written as TYPE"},
        {ZONE("{name: w, records: ['TYPE35 \\# 0']}"), "cannot be written as TYPE"},
        {ZONE("{name: w, records: ['TYPE65536 \\# 0']}"), "unknown record type"},
        {ZONE("{name: w, records: ['TYPE300 \\# 0', 'TYPE301 \\# 0', 'TYPE302 \\# 0', 'TYPE303 "
              "\\# 0', 'TYPE304 \\# 0', 'TYPE305 \\# 0', 'TYPE306 \\# 0', 'TYPE307 \\# 0', "
              "'TYPE308 \\# 0', 'TYPE309 \\# 0', 'TYPE310 \\# 0', 'TYPE311 \\# 0', 'TYPE312 \\# "
              "0', 'TYPE313 \\# 0', 'TYPE314 \\# 0', 'TYPE315 \\# 0', 'TYPE316 \\# 0', 'TYPE317 "
              "\\# 0', 'TYPE318 \\# 0', 'TYPE319 \\# 0', 'TYPE320 \\# 0', 'TYPE321 \\# 0', "
              "'TYPE322 \\# 0', 'TYPE323 \\# 0', 'TYPE324 \\# 0']}"),
         "more than 24 types"},
        {ZONE("{name: w, records: [\"CNAME a\", \"A 1.2.3.4\"]}"), "only record"},
        {ZONE("{name: w.org., records: [\"A 1.2.3.4\"]}"), "outside the zone"},
        {ZONE("{name: \"v[1-\", records: [\"A 1.2.3.4\"]}"), "[ without ]"},
        {ZONE("{name: \"v[1-70000]\", records: [\"A 1.2.3.4\"]}"), "65536"},
        {REPLICAS ZONE("{name: w, policy: nearest, records: [\"A 1.2.3.4\"]}"),
         "policy of the name"},
        {"replicas: [{name: a, addresses: 192.0.2.1}, {name: a, addresses: 192.0.2.1}]\n" ZONE(""),
         "second replica"},
        {"replicas: [{name: a, addresses: 192.0.2.1, location: [91, 0]}]\n" ZONE(""), "latitude"},
        {"replicas: [{name: a, addresses: 192.0.2.1, admin: \"http://name:1\"}]\n" ZONE(""),
         "IP address"},
        {"zones: [{name: ex, nameservers: ns.ex}, {name: EX, nameservers: ns.ex}]", "second zone"},
        {"zones: [{name: ex, nameservers: ns.ex, names: [{name: w.sub, records: \"A 1.2.3.4\"}]}, "
         "{name: sub.ex, nameservers: ns.ex}]",
         "another zone"},
        {ZONE("{name: w, records: [\"3000000000 A 1.2.3.4\"]}"), "the TTL is out of range"},
        {ZONE("{name: sub, records: [\"NS a.other.\", \"NS ns.sub\"]}"),
         ":1:85: the name server ns.sub.ex. lies below what it serves"},
        {REPLICAS ZONE("{name: sub, records: NS ns.sub}, {name: ns.sub, policy: static}"),
         "ns.sub.ex. lies below what it serves"},
        {UPDATES ZONE("{name: sub, records: NS ns.sub}, {name: ns.sub, update: {keys: k}}"),
         "ns.sub.ex. lies below what it serves"},
        {REPLICAS ZONE("{name: sub, policy: static}, {name: sub, records: NS a.other.}"),
         "cannot be delegated"},
        {REPLICAS ZONE("{name: sub, records: NS a.other.}, {name: sub, policy: static}"),
         "sub.ex. is delegated to other name servers, which answer for \"sub\""},
        {REPLICAS ZONE("{name: sub, records: NS a.other.}, {name: w.sub, policy: static}"),
         "sub.ex. is delegated to other name servers, which answer for \"w.sub\""},
        {UPDATES ZONE("{name: sub, records: NS a.other., update: {keys: k, types: TXT}}"),
         "sub.ex. is delegated to other name servers, which answer for \"sub\""},
        {UPDATES ZONE("{name: sub, records: NS a.other.}, {name: '*.sub', update: {keys: k}}"),
         "sub.ex. is delegated to other name servers, which answer for \"*.sub\""},
        {ZONE("{name: sub, records: DS 1 13 2 " DIGEST "}"), "and \"sub\" is none"},
        {ZONE("{name: '@', records: DS 1 13 2 " DIGEST "}"), "and \"@\" is none"},
        {"keys: [{name: k}]\n" ZONE(""), ":1:8: the key has no secret"},
        {"keys: [{name: k..k, secret: AAECAwQFBgcICQoLDA0ODw==}]\n" ZONE(""), "not a domain name"},
        {"keys: [{name: k, secret: AAECAwQFBgcICQoLDA0ODw==, secret-file: /nonexistent}]\n" ZONE(
             ""),
         ":1:26: two secrets"},
        {"keys: [{name: k, secret: AAECAwQFBgcICQoLDA0O}]\n" ZONE(""),
         ":1:26: \"secret\" cannot be what is written: too short to be a secret"},
        {"keys: [{name: k, secret-file: /nonexistent}]\n" ZONE(""), ":1:31: /nonexistent cannot"},
        {"keys: [" KEY("k") ", " KEY("K.") "]\n" ZONE(""), ":1:53: a second key called \"K.\""},
        {ZONE("{name: w, update: {keys: k}}"), ":1:66: there is no place to keep updates"},
        {UPDATES ZONE("{name: w, update: {keys: [k, kk]}}"), "no key is called \"kk\""},
        {UPDATES ZONE("{name: w, update: {types: A}}"), "\"keys\" is missing"},
        {UPDATES ZONE("{name: w, update: {keys: k, types: MX}}"), "one of A, AAAA, CNAME, TXT"},
        {UPDATES ZONE("{name: w, records: [\"A 1.2.3.4\"], update: {keys: k}}"),
         "expected types apart"},
        {UPDATES ZONE("{name: w, update: {keys: k}}, {name: w, records: [\"A 1.2.3.4\"]}"),
         "set at the name by update"},
        {UPDATES ZONE("{name: w, records: [\"CNAME x\"], update: {keys: k, types: TXT}}"),
         "only record"},
        {UPDATES ZONE("{name: w, records: [\"TXT x\"], update: {keys: k, types: CNAME}}"),
         "only record"},
        {UPDATES ZONE("{name: w, update: {keys: k}}, {name: w, update: {keys: k}}"),
         "an update already"},
        {REPLICAS UPDATES ZONE("{name: w, policy: static, update: {keys: k}}"),
         "the policy of the name makes its addresses"},
        {REPLICAS UPDATES ZONE("{name: w, update: {keys: k}}, {name: w, policy: static}"),
         "are set by update"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *errors = dialogue_errors(cases[i].yaml);
        cr_expect_not_null(strstr(errors, cases[i].want), "%s\n got %s", cases[i].yaml, errors);
        check_form(errors);
        free(errors);
    }
}

/* What works, and is likely not meant: said, and accepted. */
Test(directives, prefixes_inside_others_are_noted)
{
    static const struct {
        const char *map, *want; /* NULL: nothing */
    } cases[] = {
        {"{prefix: 10.0.0.0/8, replica: fra}, {prefix: 10.1.0.0/16, replica: fra}",
         ":2:62: note: 10.1.0.0/16 lies in 10.0.0.0/8, which has the same replicas"},
        {"{prefix: 10.1.0.0/16, replica: fra}, {prefix: 10.0.0.0/8, replica: fra}",
         ":2:26: note: "},
        {"{prefix: 10.0.0.0/8, replica: fra}, {prefix: 10.1.0.0/16, replica: nyc}", NULL},
        {"{prefix: 10.0.0.0/8, replica: fra}, {prefix: 10.1.0.0/16, replica: nyc}, {prefix: "
         "10.1.1.0/24, replica: fra}",
         NULL},
        {"{prefix: 10.0.0.0/8, replica: [fra, nyc]}, {prefix: 10.1.0.0/16, replica: fra}", NULL},
        {"{prefix: '::/0', replica: fra}, {prefix: 10.1.0.0/16, replica: fra}", NULL},
        {"{prefix: '::/0', replica: fra}, {prefix: '2001:db8::/32', replica: fra}", "lies in ::/0"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[1024];
        snprintf(yaml, sizeof(yaml), REPLICAS "nearest: {map: [%s]}\n" ZONE(""), cases[i].map);
        char *notes = dialogue_notes(yaml);
        bool good = cases[i].want ? strstr(notes, cases[i].want) != NULL : !strstr(notes, "note");
        cr_expect(good, "%s\n got %s", cases[i].map, notes);
        free(notes);
    }
}

Test(directives, name_servers_without_address_are_noted)
{
    char *notes = dialogue_notes("zones:\n - {name: ex, nameservers: [ns.at, ns2.ex]}\n"
                                 " - {name: ey, nameservers: [ns1.ey, ns2.ex], names:\n"
                                 "     [{name: ns1, records: A 192.0.2.1}]}\n");
    static const char want[] =
        ": note: the name server ns2.ex has no address here; its parent zone "
        "must know one\n";
    unsigned count = 0;

    for (const char *at = notes; (at = strstr(at, want)); at++) {
        count++;
    }
    cr_expect_eq(count, 2, "%s", notes);
    cr_expect_not_null(strstr(notes, ":2:36: note"), "%s", notes);
    cr_expect_not_null(strstr(notes, ":3:37: note"), "%s", notes);
    free(notes);
}

Test(directives, open_resolvers_are_noted)
{
    char *notes = dialogue_notes("resolver: {allow: [10.0.0.0/8, '::/0'], forward: 192.0.2.53}\n");

    cr_expect_not_null(strstr(notes, ":1:32: note: an open resolver: with ::/0 anybody may ask"),
                       "%s", notes);
    cr_expect_null(strstr(strchr(notes, '\n') + 1, "note"), "%s", notes);
    free(notes);
}

/* A file that is no YAML says nothing of what else there should be. */
Test(directives, a_broken_file_is_the_only_fault)
{
    char *errors = dialogue_errors("zones: [{name: ex\n");

    cr_expect_null(strstr(errors, "nothing to answer"), "%s", errors);
    cr_expect_eq(strchr(errors, '\n'), errors + strlen(errors) - 1, "%s", errors);
    free(errors);
}

Test(directives, long_chains_of_aliases_are_noted)
{
    char *notes = dialogue_notes(ZONE("{name: a, records: CNAME b}, {name: b, records: CNAME c}, "
                                      "{name: c, records: CNAME d}, {name: d, records: CNAME e}, "
                                      "{name: e, records: CNAME f}, {name: f, records: CNAME g}, "
                                      "{name: g, records: CNAME h}, {name: h, records: CNAME i}, "
                                      "{name: i, records: CNAME j}"));
    cr_expect_not_null(strstr(notes, ":1:67: note: a chain of 9 aliases; an answer holds 8"), "%s",
                       notes);
    cr_expect_null(strstr(strchr(notes, '\n') + 1, "note"), "%s", notes);
    free(notes);
}

/* What is wrong in one place hides nothing that is wrong in another. */
Test(directives, all_faults_at_once)
{
    static const char *const wants[] = {
        "a second replica called \"fra\"",
        "no replica is called \"lon\"",
        "outside the zone",
        "lies below what it serves",
        "no key is called \"kk\"",
        "a second zone \"EX\"",
        "/nonexistent",
    };
    char *errors = dialogue_errors(
        UPDATES
        "replicas: [{name: fra, addresses: 192.0.2.1}, {name: fra, addresses: 192.0.2.2}]\n"
        "nearest: {map: [{prefix: 10.0.0.0/8, replica: lon}], map-file: /nonexistent}\n"
        "zones: [{name: ex, nameservers: ns.ex, names: [{name: a.org., records: [A 1.2.3.4]}]},\n"
        "  {name: EX, nameservers: ns.ex},\n"
        "  {name: ex2, nameservers: ns.ex, names: [{name: s, records: [NS ns.s]},\n"
        "    {name: u, update: {keys: kk}}]}]\n");

    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        cr_expect_not_null(strstr(errors, wants[i]), "%s in %s", wants[i], errors);
    }
    free(errors);
}

/* Nor do faults of single values: what refers to other places is checked all the same, and what
 * could not be read is not said to be missing. */
Test(directives, faults_of_values_hide_no_others)
{
    static const char *const wants[] = {
        ":1:32: \"workers\" cannot be \"2000\": it is out of range",
        ":3:28: \"secret\" cannot be",
        ":5:28: \"addresses\" cannot be",
        ":6:16: unknown directive \"adresses\"",
        ":7:3: a second replica called \"fra\"",
        ":10:15: \"prefix\" cannot be",
        ":11:36: no replica is called \"frb\"; did you mean \"fra\"?",
        ":12:15: 10.0.0.0/8 stands in the map twice",
        ":16:75: \"A 1.2.3\": not an IPv4 address",
        ":17:28: \"policy\" cannot be \"nearestt\"",
        ":18:48: no replica is called \"nycc\"; did you mean \"nyc\"?",
        ":19:41: no key is called \"other\"; expected a name from \"keys\"\n",
        ":21:46: no region is called \"amercas\"; did you mean \"americas\"?",
        ":22:11: a second zone \"ex\"",
        ":24:21: \"allow\" cannot be",
        ":24:45: 127.0.0.1 is this server itself",
    };
    char *errors = dialogue_errors(
        "{listen: '127.0.0.1', workers: 2000,\n"
        "state: /,\n"
        "keys: [{name: key, secret: '!'}],\n"
        "replicas: [\n"
        "  { name: fra, addresses: [192.0.2.300] },\n"
        "  { name: nyc, adresses: [192.0.2.4] },\n"
        "  { name: fra, addresses: [192.0.2.3] }],\n"
        "nearest: { regions: [{name: americas, prefixes: [10.64.0.0/10], replica: nyc}],\n"
        "  map: [\n"
        "    { prefix: 10.0.0.0/99, replica: fra },\n"
        "    { prefix: 10.0.0.0/8, replica: frb },\n"
        "    { prefix: 10.0.0.0/8, replica: nyc }]},\n"
        "zones: [\n"
        "  { name: ex,\n"
        "    nameservers: [ns1.sub.ex],\n"
        "    names: [{name: sub, records: [NS ns1.sub]}, {name: ns1.sub, records: [A 1.2.3]},\n"
        "      { name: www, policy: nearestt },\n"
        "      { name: www2, policy: hashed, replicas: [nycc, fra] },\n"
        "      { name: '*.dyn', update: { keys: [other, key] } },\n"
        "      { name: two, policy: nearest, map: [\n"
        "                                   { region: amercas, replica: nyc }]}]},\n"
        "  { name: ex, nameservers: [ns1.ex] }],\n"
        "redirect: [{ names: a.org, policy: nearest }],\n"
        "resolver: { allow: [10.0.0.0/33], forward: ['127.0.0.1'] }}\n");

    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        cr_expect_not_null(strstr(errors, wants[i]), "%s in\n%s", wants[i], errors);
    }
    size_t lines = 0;
    for (const char *at = errors; (at = strchr(at, '\n')); at++) {
        lines++;
    }
    cr_expect_eq(lines, ARRAY_LEN(wants), "and nothing that follows from these:\n%s", errors);
    check_form(errors);
    free(errors);
}

/* Where names have faults, nobody can say that there is none with another one. */
Test(directives, what_has_no_name_may_be_meant)
{
    char *errors = dialogue_errors(
        "state: /\nkeys: [{name: [], secret: AAECAwQFBgcICQoLDA0ODw==}]\n"
        "replicas: [{name: '', addresses: 192.0.2.1}, {addresses: 192.0.2.2}]\n"
        "nearest: {map: [{prefix: 10.0.0.0/8, replica: fra}], map-file: /dev/null,\n"
        "  regions: [{prefixes: 10.0.0.0/8, replica: [~]}]}\n"
        "zones: [{nameservers: ns.ex}, {name: ex}, {name: ex2, nameservers: [~]}, word,\n"
        "  {name: ex3, nameservers: ns.ex, names: [{policy: nearest}, word, {name: w, policy:\n"
        "    nearest, replicas: [fra], map: [{region: eu, replica: fra}]}, {name: u,\n"
        "    update: {keys: k}}]}]\n");

    cr_expect_null(strstr(errors, "is called"), "%s", errors);
    cr_expect_null(strstr(errors, "a second"), "%s", errors);
    check_form(errors);
    free(errors);
}

/* Each word of a configuration that has everything, in turn, becomes what it cannot be. */
Test(directives, any_word_may_be_faulty)
{
    static const char yaml[] =
        "state: /\nkeys: [{name: k, secret: AAECAwQFBgcICQoLDA0ODw==}]\n"
        "replicas: [{name: fra, addresses: 192.0.2.1, location: [1, 2], capacity: 3},\n"
        " {name: nyc, addresses: [192.0.2.2], capacity: 4}, {name: org, target: a.org}]\n"
        "nearest: {map: [{prefix: 10.0.0.0/8, replica: [fra, nyc]}], regions: [{name: eu,\n"
        "  prefixes: [10.1.0.0/16], replica: fra}]}\n"
        "zones: [{name: ex, ttl: 1h, nameservers: [ns.ex], soa: {rname: me.ex}, names: [\n"
        " {name: ns, records: [A 192.0.2.9]}, {name: sub, records: [NS ns.sub]},\n"
        " {name: ns.sub, records: [A 192.0.2.8]}, {name: al, records: [CNAME ns]},\n"
        " {name: w, policy: nearest, replicas: [fra, nyc], map: [{region: eu, replica: nyc},\n"
        "   {prefix: 10.2.0.0/16, replica: fra}]}, {name: v, policy: weighted, replicas: [fra,\n"
        "   nyc], weights: [1, 2]}, {name: t, policy: static, replicas: org},\n"
        " {name: '*.dyn', update: {keys: k}}]}]\n"
        "redirect: [{names: a.net, replicas: nyc, except: [10.0.0.0/8]}]\n"
        "resolver: {allow: [10.0.0.0/8], forward: [192.0.2.53]}\n";
    static const char *const faults[] = {"~", "[]", "{}", "[[~]]"};
    struct span text = span_str(yaml);
    char broken[2 * sizeof(yaml)];
    unsigned refused = 0;

    cr_assert(dialogue_is_good(yaml));
    for (size_t at = 0; at < text.len; at++) {
        size_t len = strcspn(yaml + at, " []{},:'\n");
        for (size_t i = 0; len && i < ARRAY_LEN(faults); i++) {
            snprintf(broken, sizeof(broken), "%.*s%s%s", (int)at, yaml, faults[i], yaml + at + len);
            refused += !dialogue_is_good(broken);
        }
        at += len;
    }
    cr_expect_gt(refused, 300);
}

/* A set that no message can hold is a fault of the configuration, not ours. */
Test(directives, too_many_name_servers)
{
    struct buf yaml = BUF_INIT;

    buf_printf(&yaml, "zones:\n  - name: ex\n    nameservers:\n");
    for (int i = 0; i < 4000; i++) {
        buf_printf(&yaml, "      - a-name-server-with-number-%d.example.org\n", i);
    }
    buf_append(&yaml, SPAN("\0"));
    char *errors = dialogue_errors(yaml.data);
    cr_expect_not_null(strstr(errors, "too many records"), "%s", errors);
    free(errors);
    buf_fini(&yaml);
}

static char *map_file_errors(const char *csv)
{
    char path[] = "/tmp/larder-dns-map-XXXXXX";
    char yaml[512];
    int fd = mkstemp(path);

    cr_assert_eq(write(fd, csv, strlen(csv)), (ssize_t)strlen(csv));
    close(fd);
    snprintf(yaml, sizeof(yaml), REPLICAS "nearest: {map-file: %s}\n" ZONE(""), path);
    char *errors = dialogue_errors(yaml);
    unlink(path);
    return errors;
}

Test(directives, faults_of_the_map_file_have_line_and_column)
{
    static const struct {
        const char *csv, *want;
    } cases[] = {
        {"10.0.0.0/8,fra\n10.0.0.0/8,nyc\n", ":2:1: line 1 has other replicas for this prefix\n"},
        {"10.0.0.0/8,fra\n 10.0.0.0/33,fra\n", ":2:2: the prefix length is not 0 to 32\n"},
        {"10.0.0.0/8,fra,nyx\n", ":1:16: no replica is called \"nyx\"; did you mean \"nyc\"?\n"},
        {"10.0.0.0/8\n", ":1:"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *errors = map_file_errors(cases[i].csv);
        cr_expect_not_null(strstr(errors, cases[i].want), "%s\n got %s", cases[i].csv, errors);
        free(errors);
    }
}

/* What the operator wrote by hand decides over a generated file; a file may repeat itself. */
Test(directives, the_map_decides_over_the_map_file)
{
    char path[] = "/tmp/larder-dns-map-XXXXXX";
    static const char csv[] = "\xef\xbb\xbf"
                              "10.0.0.0/8,fra # all of it\r\n10.0.0.0/8,fra\r\n";
    char yaml[512];
    struct dialogue d;
    int fd = mkstemp(path);

    cr_assert_eq(write(fd, csv, sizeof(csv) - 1), (ssize_t)sizeof(csv) - 1);
    close(fd);
    snprintf(yaml, sizeof(yaml),
             REPLICAS "nearest: {map-file: %s, map: [{prefix: 10.0.0.0/8, replica: nyc}]}\n" ZONE(
                 "{name: w, policy: nearest, answers: 1}"),
             path);
    dialogue_init(&d, yaml);
    unlink(path);
    struct question q = {.name = "w.ex", .type = "A", .subnet = "10.1.0.0/16"};
    cr_expect_str_eq(ask(&d, &q), "NOERROR aa | w.ex. 30 A 192.0.2.2 | edns scope 16/8");
    dialogue_fini(&d);
}

Test(directives, the_ttl_of_a_record_comes_from_where_it_is_nearest)
{
    struct dialogue d;

    dialogue_init(&d, "zones: [{name: ex, nameservers: ns.ex, ttl: 1h, names: ["
                      "{name: zone, records: \"A 192.0.2.1\"}, "
                      "{name: name, ttl: 2min, records: \"A 192.0.2.1\"}, "
                      "{name: own, ttl: 2min, records: \"5 A 192.0.2.1\"}]}]\n");
    struct question zone = {.name = "zone.ex", .type = "A"};
    struct question name = {.name = "name.ex", .type = "A"};
    struct question own = {.name = "own.ex", .type = "A"};
    cr_expect_str_eq(ask(&d, &zone), "NOERROR aa | zone.ex. 3600 A 192.0.2.1");
    cr_expect_str_eq(ask(&d, &name), "NOERROR aa | name.ex. 120 A 192.0.2.1");
    cr_expect_str_eq(ask(&d, &own), "NOERROR aa | own.ex. 5 A 192.0.2.1");
    dialogue_fini(&d);
}

Test(directives, zones_inside_zones)
{
    struct dialogue d;

    dialogue_init(&d, "zones: [{name: ex, nameservers: ns.ex, names: [{name: w, records: \"A "
                      "192.0.2.1\"}]}, {name: a.b.ex, nameservers: ns.ex, names: [{name: w, "
                      "records: \"A 192.0.2.2\"}]}]\n");
    struct question outer = {.name = "w.ex", .type = "A"};
    struct question inner = {.name = "w.a.b.ex", .type = "A"};
    struct question between = {.name = "b.ex", .type = "A"};
    struct question none = {.name = "c.b.ex", .type = "A"};
    cr_expect_str_eq(ask(&d, &outer), "NOERROR aa | w.ex. 3600 A 192.0.2.1");
    cr_expect_str_eq(ask(&d, &inner), "NOERROR aa | w.a.b.ex. 3600 A 192.0.2.2");
    cr_expect_eq(strncmp(ask(&d, &between), "NOERROR aa | ns ex. 60 SOA", 26), 0);
    cr_expect_eq(strncmp(ask(&d, &none), "NXDOMAIN aa | ns ex. 60 SOA", 27), 0);
    struct question ds = {.name = "a.b.ex", .type = "DS"}; /* the parent's, RFC 4035 3.1.4.1 */
    cr_expect_eq(strncmp(ask(&d, &ds), "NOERROR aa | ns ex. 60 SOA", 26), 0);
    ds.name = "ex"; /* whose parent is not ours */
    cr_expect_eq(strncmp(ask(&d, &ds), "NOERROR aa | ns ex. 60 SOA", 26), 0);
    dialogue_fini(&d);
}

Test(pattern, ranges)
{
    static const struct {
        const char *text;
        uint32_t count; /* 0: refused */
        const char *first, *last;
    } cases[] = {
        {"www", 1, "www", "www"},
        {"v[1-24].lscache[1-8]", 192, "v1.lscache1", "v24.lscache8"},
        {"v[08-11]", 4, "v08", "v11"},
        {"[0-0]", 1, "0", "0"},
        {"v[1-256][0-255]", 65536, "v10", "v256255"},
        {"v[1-256][0-256]", 0, NULL, NULL},
        {"v[9-1]", 0, NULL, NULL},
        {"v[a-c]", 0, NULL, NULL},
        {"v[1]", 0, NULL, NULL},
        {"v[]", 0, NULL, NULL},
        {"v[1-2", 0, NULL, NULL},
        {"v1-2]", 0, NULL, NULL},
        {"v[01-100]", 0, NULL, NULL},
        {"v[1-4294967296]", 0, NULL, NULL},
        {"[0-9][0-1][0-1][0-1][0-1][0-1][0-1][0-1][0-1]", 0, NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pattern pattern;
        const char *what;
        char text[PATTERN_TEXT_MAX];
        int err = pattern_parse(span_str(cases[i].text), &pattern, &what);
        cr_expect_eq(err == 0, cases[i].count > 0, "%s", cases[i].text);
        if (err || !cases[i].count) {
            continue;
        }
        cr_expect_eq(pattern.name_count, cases[i].count, "%s", cases[i].text);
        cr_expect(span_eq(pattern_name(&pattern, 0, text), span_str(cases[i].first)));
        cr_expect(
            span_eq(pattern_name(&pattern, pattern.name_count - 1, text), span_str(cases[i].last)),
            "%s", cases[i].text);
    }
}

/* docs/adr/0016: whoever reads the reference should be able to read all of it. */
Test(directives, are_few)
{
    struct buf out = BUF_INIT;
    unsigned directives = 0, parameters = 0;

    settings_manual(&out);
    buf_append(&out, SPAN("\0"));
    const char *said = strstr(out.data, " directives, each set once");
    const char *more = strstr(out.data, "in them, have ");
    cr_assert(said && more);
    while (said > out.data && said[-1] >= '0' && said[-1] <= '9') {
        said--;
    }
    cr_assert_eq(sscanf(said, "%u", &directives), 1);
    cr_assert_eq(sscanf(more, "in them, have %u", &parameters), 1);
    cr_expect(directives > 50 && directives <= 60, "%u directives", directives);
    cr_expect(parameters > 40 && parameters <= 60, "%u parameters", parameters);
    buf_fini(&out);
}
