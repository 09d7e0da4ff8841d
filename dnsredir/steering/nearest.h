/*
 * nearest - compiles what is known about nearness to one map: address → ranking of the replicas.
 * Load time only, off the serving threads; not thread-safe.
 *
 * In this order: the prefixes of the configuration and of its map file (the longest match
 * decides), the great-circle distance from the place a MaxMind database gives, the defaults of
 * regions (these two by the longer match), and where none knows anything, all replicas in turn.
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
    size_t prefix_count, network_count; /* of the map, of the database */
    struct prefix *prefixes;            /* of the map, for people who ask */
};

struct nearest_builder;

/* `replicas` must outlive the builder; rankings go to `arena`. */
struct nearest_builder *nearest_builder_new(struct arena *arena, const struct replica *replicas,
                                            size_t replica_count);
void nearest_builder_free(struct nearest_builder **builder);

/* The number of a ranking: `ids` in order of preference; the others stand in by their distance from
 * the first. */
uint32_t nearest_rank(struct nearest_builder *builder, const uint16_t *ids, size_t count);
/* For the networks of a prefix. */
void nearest_add(struct nearest_builder *builder, const struct prefix *prefix, const uint16_t *ids,
                 size_t count);
/* A file of lines "prefix,replica[,replica...]", "#" begins a comment. What nearest_add() says
 * later about the same prefix holds instead. 0, or ERR_CONFIG after writing "file:line:column: ..."
 * lines to `errors`, the first 20 of them. */
int nearest_add_file(struct nearest_builder *builder, const char *path, struct buf *errors);
/* Where no map knows the network. A longer prefix of the database decides before it, and when it
 * is added later an equal one, too. */
void nearest_add_region(struct nearest_builder *builder, const struct prefix *prefix,
                        const uint16_t *ids, size_t count);
/* 0, or ERR_CONFIG after writing to `errors`. */
int nearest_add_geo(struct nearest_builder *builder, const char *path, struct buf *errors);

/* The map; out->map is freed with netmap_free(). ERR_CONFIG, with a line in `errors`, when there
 * are more different rankings than a map can hold. */
int nearest_build(struct nearest_builder *builder, struct buf *errors, struct nearest *out);

#endif
