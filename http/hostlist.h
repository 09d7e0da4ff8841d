/*
 * hostlist - a large set of host names: a million names take some tens of megabytes, a lookup some
 * tens of nanoseconds, without allocation.
 *
 *   example.net     the name, and all below it      .example.net    the same
 *   *.example.net   all below it, not itself        =example.net    only the name
 *   192.0.2.1       only this address               2001:db8::1     the same, in any notation
 *
 * A file has one pattern on each line; "#" begins a comment. Lines as in /etc/hosts, with an
 * address before the names, stand for the names, without "localhost" and the like. Built by one
 * thread; then immutable, counted, thread-safe.
 */
#ifndef LARDER_HTTP_HOSTLIST_H
#define LARDER_HTTP_HOSTLIST_H

#include "base/siphash.h"

struct hostlist;

/* Makes an empty list. `key` is secret, so that nobody can choose names that collide. */
struct hostlist *hostlist_new(const struct sip_key *key);
struct hostlist *hostlist_ref(struct hostlist *list);
void hostlist_unref(struct hostlist **list); /* accepts NULL; sets *list to NULL */

/* Adds a pattern. ERR_SYNTAX, with *what a clause such as "it has a port"; ERR_FULL: more than 4
 * GiB of names. */
int hostlist_add(struct hostlist *list, struct span pattern, const char **what);

/* Adds all lines of a file. Wrong lines are reported by number (from 1) and skipped. Returns how
 * many were wrong. */
size_t hostlist_add_lines(struct hostlist *list, struct span text,
                          void (*complain)(void *arg, size_t line, struct span text,
                                           const char *what),
                          void *arg);

/* Ends the building, and frees spare memory. */
void hostlist_finish(struct hostlist *list);

/* Is the host in the list? `host` is in lower case without brackets, as in struct uri. Trailing
 * dots are ignored; an IPv4-mapped IPv6 address counts as the IPv4 address. */
bool hostlist_has(const struct hostlist *list, struct span host);

size_t hostlist_count(const struct hostlist *list); /* distinct names */
size_t hostlist_bytes(const struct hostlist *list); /* bytes of memory */

#endif
