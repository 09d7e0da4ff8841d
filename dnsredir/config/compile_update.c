/* compile_update - compiles the keys that sign updates, and the names that they may change. */
#include "base/check.h"
#include "dnsredir/config/compile_parts.h"
#include "dnsredir/zone/update.h"

void compile_keys(struct compiler *c)
{
    struct settings *s = c->settings;
    struct tsig_key *keys = arena_zalloc(c->arena, s->key_count * sizeof(*keys));

    s->identity.keys = (struct tsig_keys){keys, s->key_count};
    for (size_t i = 0; i < s->key_count; i++) {
        const struct key_row *row = &s->key_rows[i];
        if (!compile_is_whole(c, "keys", i)) {
            continue;
        }
        keys[i].name = row->key_name;
        keys[i].algorithm = row->algorithm;
        keys[i].secret = row->secret;
        if (tsig_key_find(&s->identity.keys, &keys[i].name) != &keys[i]) {
            COMPLAIN(c, "keys", i, "a second key called \"%s\"; expected each name once",
                     row->name);
        }
    }
}

static const struct tsig_key *find_key(struct compiler *c, size_t index, const char *text)
{
    const struct settings *s = c->settings;
    struct name name;

    if (name_parse_absolute(span_str(text), &name) == 0) {
        const struct tsig_key *key = tsig_key_find(&s->identity.keys, &name);
        if (key) {
            return key;
        }
    }
    const char **names = arena_zalloc(c->arena, (s->key_count + 1) * sizeof(*names));
    for (size_t i = 0; i < s->key_count; i++) {
        names[i] = s->key_rows[i].name;
        if (!names[i] || span_ieq(span_str(names[i]), span_str(text))) {
            return NULL; /* the key exists, but its row has an error, which was reported */
        }
    }
    const char *closest = conf_closest(text, names, s->key_count);
    COMPLAIN(c, "keys", index, "no key is called \"%s\"%s%s%s", text,
             CONF_HINT(closest, "; expected a name from \"keys\""));
    return NULL;
}

const struct update_rule *compile_update(struct compiler *c, const struct update_row *row)
{
    struct update_rule *rule = arena_zalloc(c->arena, sizeof(*rule));
    const struct tsig_key **keys =
        arena_zalloc(c->arena, row->key_count * sizeof(struct tsig_key *));
    bool good = true;

    if (!c->settings->state) {
        COMPLAIN(c, "update", 0, "there is no place to keep updates; expected the directive state");
        return NULL;
    }
    const struct conf_at *outer = compile_enter(c, "update", 0);
    for (size_t i = 0; i < row->key_count; i++) {
        keys[i] = find_key(c, i, row->keys[i]);
        good = good && keys[i];
    }
    compile_leave(c, outer);
    rule->keys = keys;
    rule->key_count = row->key_count;
    rule->max_records = row->max_records;
    rule->max_ttl = row->max_ttl;
    for (size_t i = 0; i < row->type_count; i++) {
        rule->types[row->types[i]] = true;
    }
    return good ? rule : NULL;
}
