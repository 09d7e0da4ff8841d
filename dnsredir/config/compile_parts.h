/*
 * compile_parts - what is shared by the files that compile the settings. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_COMPILE_PARTS_H
#define LARDER_DNSREDIR_CONFIG_COMPILE_PARTS_H

#include "dnsredir/config/compile.h"

#define SHARED_POLICIES 256

/* The state of compiling. Errors are reported where the values were written. A row that already
 * has errors may lack required values; such rows are left out, and references to them are not
 * reported. */
struct compiler {
    struct settings *settings;
    struct arena *arena;
    const struct conf_at *at;
    bool whole_replicas;   /* no replica row has errors */
    struct record *record; /* memory for one record, which is too large for the stack */
    bool failed;
    struct policy
        *shared[SHARED_POLICIES]; /* policies of names without a map of their own, by hash */
};

#define COMPLAIN(c, directive, index, ...)                                                         \
    ((c)->failed = true, conf_complain((c)->at, directive, index, __VA_ARGS__))

/* Enters the map `name` inside the current one (number `index` of a list), so that errors are
 * reported there. Returns the outer map, for compile_leave(). */
static inline const struct conf_at *compile_enter(struct compiler *c, const char *name,
                                                  size_t index)
{
    const struct conf_at *outer = c->at;

    c->at = conf_at_map(outer, name, index);
    return outer;
}

static inline void compile_leave(struct compiler *c, const struct conf_at *outer)
{
    c->at = outer;
}

/* Has the map `name` inside the current one (number `index` of a list) no errors? */
static inline bool compile_is_whole(struct compiler *c, const char *name, size_t index)
{
    return conf_is_whole(conf_at_map(c->at, name, index));
}

/* The number of the replica `name`, or -1. An error is reported only if it is certain that there is
 * no such replica. */
int compile_find_replica(struct compiler *c, const char *directive, size_t index, const char *name);

/* The region `name`, or NULL. */
const struct region_row *compile_find_region(const struct settings *s, const char *name);

/* Makes the policy of a row. NULL: an error was reported. */
struct policy *compile_policy(struct compiler *c, const struct name_row *row);

/* Remarks on a resolver that everybody may use. */
void compile_check_open(struct compiler *c);

/* Reports an error if the folder for the state cannot be used. */
void compile_check_state(struct compiler *c);

/* Reports an error if the query log cannot be written where it is configured. */
void compile_check_log(struct compiler *c);

/* Compiles the TSIG keys. To be called before the zones, which refer to them. */
void compile_keys(struct compiler *c);
/* Makes the rule of an update row. NULL: an error was reported. */
const struct update_rule *compile_update(struct compiler *c, const struct update_row *row);

/* Called for each name of a zone, inside its map. `owner`: the absolute name; for a pattern, the
 * first of its names. Names that cannot be parsed are left out. */
typedef void compile_name_check(struct compiler *c, const struct name_row *row,
                                const struct name *apex, const struct name *owner);
void compile_each_name(struct compiler *c, const struct zone_row *zone, compile_name_check *check);

/* Checks the delegations of a zone, when all names are known. */
void compile_check_delegations(struct compiler *c, const struct zone_row *zone);

/* Reports aliases that form a loop. */
void compile_check_aliases(struct compiler *c, const struct zone_row *zone);

/* Checks the regions, nearest.map, and the maps of names. */
void compile_check_maps(struct compiler *c);

#endif
