/* access_rule - who may ask for what, and how much of it. Part of the settings. */
#ifndef LARDER_PROXY_CONFIG_ACCESS_RULE_H
#define LARDER_PROXY_CONFIG_ACCESS_RULE_H

#include "base/hours.h"
#include "base/period.h"
#include "base/prefix.h"

struct port_range {
    uint16_t first, last;
};

/* Limits of a user. Zeros mean no limit. */
struct access_limits {
    uint64_t quota; /* bytes per period */
    enum period per;
    uint64_t rate; /* bytes a second */
    uint64_t slow; /* bytes a second once the quota is used up; 0: nothing more */
    bool given;    /* any of these was written */
};

struct hostlist;

/* A rule matches when each of its lists is empty or has an item that matches. */
struct access_rule {
    bool allow;
    bool needs_user; /* names users or groups */
    bool is_plain;   /* has nothing but prefixes, or nothing at all */
    struct prefix *from;
    size_t from_count;
    struct span *users; /* "*": whoever has authenticated */
    size_t user_count;
    struct span *groups;
    size_t group_count;
    struct span *hosts; /* patterns of http/hostlist.h */
    size_t host_count;
    char **host_files;
    size_t host_file_count;
    struct port_range *ports;
    size_t port_count;
    struct span *methods;
    size_t method_count;
    struct hours *hours;
    size_t hour_count;
    struct access_rule *except; /* the rule does not match where one of these does */
    size_t except_count;        /* these have no exceptions and no limits */
    struct access_limits limits;
    const char *place; /* where it is written: "file:line" */
    /* Patterns of hosts and host-files. Made and owned by proxy/access/set.h. */
    const struct hostlist **lists;
    size_t list_count;
    bool from_is_settled; /* `from` is sorted for prefixes_have() */
};

#endif
