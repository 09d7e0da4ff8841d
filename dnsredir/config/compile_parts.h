/*
 * compile_parts - what is shared by the files that compile the settings. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_COMPILE_PARTS_H
#define LARDER_DNSREDIR_CONFIG_COMPILE_PARTS_H

#include "dnsredir/config/compile.h"

#define SHARED_POLICIES 256

/* The state of compiling. Faults are reported where they were written. Rows in which faults were
 * found earlier may lack what is required; they are left out, and references to them are no fault.
 */
struct compiler {
    struct settings *settings;
    struct arena *arena;
    const struct conf_at *at;
    bool whole_replicas;   /* no replica was left out because of a fault */
    struct record *record; /* too large for a stack */
    bool failed;
    struct policy *shared[SHARED_POLICIES]; /* by hash: of names without a map of their own */
};

#define COMPLAIN(c, directive, index, ...)                                                         \
    ((c)->failed = true, conf_complain((c)->at, directive, index, __VA_ARGS__))

/* Enters the map `name` inside the current one (number `index` of a list), which later complaints
 * are about. Returns what to pass to compile_leave(). */
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

/* Is the map `name` inside the current one (number `index` of a list) without faults? */
static inline bool compile_is_whole(struct compiler *c, const char *name, size_t index)
{
    return conf_is_whole(conf_at_map(c->at, name, index));
}

/* The number of the replica `name`, or -1, after a complaint if it is certain that there is none.
 */
int compile_find_replica(struct compiler *c, const char *directive, size_t index, const char *name);

/* The region `name`, or NULL. */
const struct region_row *compile_find_region(const struct settings *s, const char *name);

/* Makes the policy of a row. NULL: after a complaint. */
struct policy *compile_policy(struct compiler *c, const struct name_row *row);

/* Adds a note if everybody may use the resolver. */
void compile_check_open(struct compiler *c);

/* Complains if the state cannot be kept in the folder for it. */
void compile_check_state(struct compiler *c);

/* Can the query log be made where it is to be? */
void compile_check_log(struct compiler *c);

/* Compiles the TSIG keys. To be called before the zones, which refer to them. */
void compile_keys(struct compiler *c);
/* Makes the rule of an update row. NULL: after a complaint. */
const struct update_rule *compile_update(struct compiler *c, const struct update_row *row);

/* Calls `check` for each name of a zone, within its map. `owner`: the whole name; of several that a
 * pattern stands for, the first. Names that cannot be parsed are left out. */
typedef void compile_name_check(struct compiler *c, const struct name_row *row,
                                const struct name *apex, const struct name *owner);
void compile_each_name(struct compiler *c, const struct zone_row *zone, compile_name_check *check);

/* Checks the delegations in a zone, once all names are there. */
void compile_check_glue(struct compiler *c, const struct zone_row *zone);

/* Complains about aliases that lead in circles. */
void compile_check_aliases(struct compiler *c, const struct zone_row *zone);

/* Checks the regions, nearest.map, and the maps of names. */
void compile_check_maps(struct compiler *c);

#endif
