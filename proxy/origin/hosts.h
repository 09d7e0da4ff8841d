/*
 * hosts - the hosts file (hosts(5)), kept in memory and read again when it changes. Belongs to one
 * loop.
 */
#ifndef LARDER_PROXY_ORIGIN_HOSTS_H
#define LARDER_PROXY_ORIGIN_HOSTS_H

#include "base/prefix.h"

struct hosts;

/* `path` is copied. A file that is missing, unreadable or larger than 16 MiB counts as empty. */
struct hosts *hosts_new(const char *path);
/* Accepts NULL; sets *hosts to NULL. */
void hosts_free(struct hosts **hosts);

/* Finds the addresses of `name` (lower case) in the file's order, at most `max` and 8. Returns how
 * many. Checks at most once a second whether the file has changed. */
size_t hosts_find(struct hosts *hosts, struct span name, uint64_t now_ms, struct ip *out,
                  size_t max);

#endif
