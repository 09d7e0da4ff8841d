/*
 * geo - places on the earth: distances, and the networks of a MaxMind database. Load time only.
 */
#ifndef LARDER_DNSREDIR_STEERING_GEO_H
#define LARDER_DNSREDIR_STEERING_GEO_H

#include "base/prefix.h"

/* Great-circle distance in kilometres between two points in degrees. */
double geo_distance(double latitude_a, double longitude_a, double latitude_b, double longitude_b);

/* Is there a database at `path`? 0, or ERR_IO and *what names the fault (static text). */
int geo_check(const char *path, const char **what);

/* Called for every network that has a location. `record` is the same number for networks that share
 * one record of the database. */
typedef void geo_visit(void *arg, const struct prefix *network, uint32_t record, double latitude,
                       double longitude);

/* Walks through a database of the City kind, which has location.latitude and location.longitude.
 * Returns 0; or ERR_IO, ERR_CORRUPT, or ERR_NOT_FOUND if it has no location, with a description of
 * the fault, which is static text, in *what. Networks may have been visited before. The file may be
 * cut meanwhile, which is ERR_IO; `visit` is not left halfway then. */
int geo_each(const char *path, geo_visit *visit, void *arg, const char **what);

/* The network of the database that holds `ip` and has a location. Opens the file each time, so it
 * is only for questions of operators. Returns false if there is none. */
bool geo_find(const char *path, const struct ip *ip, struct prefix *out);

#endif
