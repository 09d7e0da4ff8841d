/*
 * compile_parts - what the files that compile the settings share. Load time only.
 */
#ifndef LARDER_DNSREDIR_CONFIG_COMPILE_PARTS_H
#define LARDER_DNSREDIR_CONFIG_COMPILE_PARTS_H

#include "dnsredir/config/compile.h"

#define SHARED_POLICIES 256

/* While the settings are being compiled; errors go to where the fault was written. Rows may have
 * faults that were told when they were bound, and so be without what is required. They are left
 * out, and nobody is told that what stands in them is missing. */
struct compiler {
    struct settings *settings;
    struct arena *arena;
    const struct conf_at *at;
    bool whole_replicas;   /* all of them are as they were meant */
    struct record *record; /* too large for a stack */
    bool failed;
    struct policy *shared[SHARED_POLICIES]; /* by hash: of names without a map of their own */
};

#define COMPLAIN(c, directive, index, ...)                                                         \
    ((c)->failed = true, conf_complain((c)->at, directive, index, __VA_ARGS__))

/* What is being compiled: later complaints are about the map `name` inside the current one.
 * Returns what to give back to compile_leave(). */
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

/* The number of a replica, or -1: after a complaint, if it can be told that there is none. */
int compile_find_replica(struct compiler *c, const char *directive, size_t index, const char *name);

/* The policy of a row; NULL after a complaint. */
struct policy *compile_policy(struct compiler *c, const struct name_row *row);

/* May anybody use the resolver? That is noted. */
void compile_check_open(struct compiler *c);

/* Can the state be made where it is to be? */
void compile_check_state(struct compiler *c);

/* Can the query log be made where it is to be? */
void compile_check_log(struct compiler *c);

/* Before the zones: what they refer to. */
void compile_keys(struct compiler *c);
/* NULL after a complaint. */
const struct update_rule *compile_update(struct compiler *c, const struct update_row *row);

/* Delegations in a zone, when all names are there. */
void compile_check_glue(struct compiler *c, const struct zone_row *zone);

/* Aliases that lead in circles. */
void compile_check_aliases(struct compiler *c, const struct zone_row *zone);

/* Regions, nearest.map, and the maps of names. */
void compile_check_maps(struct compiler *c);

#endif
