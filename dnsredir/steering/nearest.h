/*
 * nearest - compiles what is known about nearness to one map from addresses to rankings of the
 * replicas. Load time only, off the serving threads; not thread-safe.
 *
 * The sources decide in this order: the prefixes of the configuration and of its map file, by the
 * longest match; the great-circle distance from the place that a MaxMind database gives, and the
 * defaults of regions, of these two the longer match; and where nothing is known, all replicas in
 * turn.
 */
#ifndef LARDER_DNSREDIR_STEERING_NEAREST_H
#define LARDER_DNSREDIR_STEERING_NEAREST_H

#include "base/buf.h"
#include "dnsredir/steering/choose.h"
#include "dnsredir/steering/netmap.h"

struct nearest {
    struct netmap *map;
    const struct ranking **rankings; /* by the values of the map */
    size_t ranking_count;
    size_t prefix_count, network_count; /* prefixes of the map, networks of the database */
    struct prefix *prefixes;            /* those of the map, for questions of operators */
};

struct nearest_builder;

/* `replicas` must outlive the builder; rankings are allocated in `arena`. */
struct nearest_builder *nearest_builder_new(struct arena *arena, const struct replica *replicas,
                                            size_t replica_count);
void nearest_builder_free(struct nearest_builder **builder);

/* Makes a ranking and returns its number: `ids` in order of preference, behind which the other
 * replicas stand in by their distance from the first one. */
uint32_t nearest_rank(struct nearest_builder *builder, const uint16_t *ids, size_t count);
/* Sets the ranking for the networks of a prefix. */
void nearest_add(struct nearest_builder *builder, const struct prefix *prefix, const uint16_t *ids,
                 size_t count);
/* Reads a file of lines "prefix,replica[,replica...]", in which "#" begins a comment. A later
 * nearest_add() of the same prefix replaces what the file says. Returns 0, or ERR_CONFIG after
 * appending the first 20 faults to `errors`, as lines "file:line:column: ...". */
int nearest_add_file(struct nearest_builder *builder, const char *path, struct buf *errors);
/* Sets a ranking for a prefix that counts where no map knows the network. A longer prefix of the
 * database is preferred to it; an equal one, too, if the database is added later. */
void nearest_add_region(struct nearest_builder *builder, const struct prefix *prefix,
                        const uint16_t *ids, size_t count);
/* Adds the networks of a MaxMind database. Returns 0, or ERR_CONFIG after appending to `errors`. */
int nearest_add_geo(struct nearest_builder *builder, const char *path, struct buf *errors);

/* Builds the map; out->map is to be freed with netmap_free(). Returns 0, or ERR_CONFIG with a line
 * in `errors` if there are more different rankings than a map can hold. */
int nearest_build(struct nearest_builder *builder, struct buf *errors, struct nearest *out);

#endif
