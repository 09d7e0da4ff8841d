/*
 * hostlist - many names of hosts, and whether a given host is one of them or lies below one: a
 * million names in some tens of megabytes, a look in some tens of nanoseconds, without allocation.
 *
 *   example.net     the name, and all below it      .example.net    the same
 *   *.example.net   all below it, not itself        =example.net    the name alone
 *   192.0.2.1       an address, alone               2001:db8::1     likewise, in any notation
 *
 * In a file each stands on a line of its own; "#" begins a comment. Lines as in /etc/hosts, an
 * address and then names, mean the names; "localhost" and its like are passed over there.
 *
 * Built by one thread; once built it never changes and may be read by any. Counted.
 */
#ifndef LARDER_HTTP_HOSTLIST_H
#define LARDER_HTTP_HOSTLIST_H

#include "base/siphash.h"

struct hostlist;

/* An empty one. `key` is secret, so that nobody can write names that are slow to find. */
struct hostlist *hostlist_new(const struct sip_key *key);
struct hostlist *hostlist_ref(struct hostlist *list);
void hostlist_unref(struct hostlist **list); /* accepts NULL; sets *list to NULL */

/* One pattern as above. ERR_SYNTAX, with *what a clause such as "it has a port"; ERR_FULL: more
 * than 4 GiB of names. */
int hostlist_add(struct hostlist *list, struct span pattern, const char **what);

/* All lines of a file. What is wrong is told by line, from 1, and the rest is taken all the same;
 * returns how many lines were wrong. */
size_t hostlist_add_lines(struct hostlist *list, struct span text,
                          void (*complain)(void *arg, size_t line, struct span text,
                                           const char *what),
                          void *arg);

/* Built: gives back memory that was for more. */
void hostlist_finish(struct hostlist *list);

/* `host` is lower case without brackets, as in struct uri; dots at its end do not count, and an
 * IPv4 address mapped into IPv6 is that IPv4 address. */
bool hostlist_has(const struct hostlist *list, struct span host);

size_t hostlist_count(const struct hostlist *list); /* different names */
size_t hostlist_bytes(const struct hostlist *list); /* of memory */

#endif
