/*
 * hosts - the hosts file (hosts(5)), read once and again when it changes, so that a lookup costs
 * a hash and not a pass over the file. Belongs to one loop.
 */
#ifndef LARDER_PROXY_ORIGIN_HOSTS_H
#define LARDER_PROXY_ORIGIN_HOSTS_H

#include "base/prefix.h"

struct hosts;

/* `path` is copied. A file that is missing, unreadable or larger than 16 MiB counts as empty. */
struct hosts *hosts_new(const char *path);
/* Accepts NULL, sets it to NULL. */
void hosts_free(struct hosts **hosts);

/* The addresses of `name` (lower case), in the file's order, at most `max` and 8; returns how many.
 * Looks once a second at most, by `now_ms`, whether the file has changed. */
size_t hosts_find(struct hosts *hosts, struct span name, uint64_t now_ms, struct ip *out,
                  size_t max);

#endif
