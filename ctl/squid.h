/*
 * squid - a configuration of Squid as one for larder-proxy, as far as it goes: the directives that
 * people use become YAML with the lines they are from as comments; the rest is listed, each with
 * its line and why. Pure but for the arena.
 *
 * What would let in more than Squid does is never made silently: a rule that is not understood is
 * told as such, and when it denies, as one that has to be looked at.
 */
#ifndef LARDER_CTL_SQUID_H
#define LARDER_CTL_SQUID_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"

/* Reads the text of squid.conf (`name` is shown), writes a whole Larder file to `yaml` and a line
 * for each directive that is not, or not wholly, in it to `notes`. Returns how many were lost;
 * those that Larder does anyway, or has no need of, are noted and not counted. */
size_t squid_import(const char *name, struct span text, struct buf *yaml, struct buf *notes);

/* ---- the inside, for ctl/squid*.c ---- */

enum { SQUID_WORDS_MAX = 512, SQUID_ACLS_MAX = 1024, SQUID_LINES_MAX = 100000 };

/* A directive: its words, without quotes; they live in the import's arena. */
struct squid_line {
    unsigned number; /* of the first line it stands on */
    struct span words[SQUID_WORDS_MAX];
    size_t count;
    bool cut;        /* there were more words */
    struct span raw; /* as it is written, on one line */
};

/* Single values, by what they become: id, map (empty: none), name. */
/* clang-format off */
#define SQUID_VALUES(X)                                                                            \
    X(WORKERS,       "",         "workers")                                                        \
    X(NAME,          "",         "name")                                                           \
    X(FORWARDED,     "",         "forwarded")                                                      \
    X(NAMESERVERS,   "",         "nameservers")                                                    \
    X(CONNECT_PORTS, "",         "connect-ports")                                                  \
    X(MEMORY,        "memory",   "size")                                                           \
    X(HEURISTIC,     "cache",    "heuristic")                                                      \
    X(HEURISTIC_MAX, "cache",    "heuristic-max")                                                  \
    X(CLIENT_HEAD,   "timeouts", "client-head")                                                    \
    X(CLIENT_IDLE,   "timeouts", "client-idle")                                                    \
    X(CONNECT,       "timeouts", "connect")                                                        \
    X(FIRST_BYTE,    "timeouts", "first-byte")                                                     \
    X(ORIGIN_BODY,   "timeouts", "origin-body")                                                    \
    X(ORIGIN_IDLE,   "timeouts", "origin-idle")                                                    \
    X(DRAIN,         "timeouts", "drain")                                                          \
    X(HEAD,          "limits",   "head")
/* clang-format on */

enum squid_value {
#define X(id, map, name) SQUID_##id,
    SQUID_VALUES(X)
#undef X
        SQUID_VALUE_COUNT
};

struct squid_acl {
    struct span name, type;
    struct buf values; /* words, each ended by NUL */
    struct squid_acl *next;
};

struct squid {
    const char *name;
    struct arena arena;
    struct buf *notes;
    size_t lost;
    struct {
        struct span text; /* YAML; empty: not given */
        unsigned line;
    } values[SQUID_VALUE_COUNT];
    struct buf listen, stores, access, sites, logs; /* items of lists, in YAML */
    size_t store_count;
    struct span object_max;
    unsigned object_max_line;
    struct squid_acl *acls;
    size_t acl_count;
    struct span users; /* the file of htpasswd; empty: none */
    unsigned users_line;
    bool has_rules, last_denies, ends_in_all;
    unsigned last_rule;
    struct squid_format *formats;
    struct span site; /* of an accelerator's port: defaultsite */
    bool accelerates;
};

/* The next directive that has words; false at the end. *rest loses it, *number counts lines. */
bool squid_next(struct squid *squid, struct span *rest, unsigned *number, struct squid_line *line);

/* Notes: "name:line: directive: what". */
__attribute__((format(printf, 3, 4))) void
squid_lose(struct squid *squid, const struct squid_line *line, const char *format, ...);
__attribute__((format(printf, 3, 4))) void
squid_remark(struct squid *squid, const struct squid_line *line, const char *format, ...);
void squid_set(struct squid *squid, const struct squid_line *line, enum squid_value value,
               struct span text);
/* A word in double quotes, as YAML has them. */
void squid_quote(struct buf *out, struct span text);
/* The comment that says where something is from, with the line's end. */
void squid_origin(struct squid *squid, const struct squid_line *line, struct buf *out);
/* What is written behind so many words, quotes and all. */
struct span squid_rest(const struct squid_line *line, size_t words);
/* Word number `i`, or empty. */
struct span squid_word(const struct squid_line *line, size_t i);
/* The value behind `name` (with its "=") among the words from `from` on, or empty. */
struct span squid_option(const struct squid_line *line, size_t from, const char *name);
bool squid_has(const struct squid_line *line, size_t from, const char *word);
/* "256 MB" as "256MiB", "30 seconds" as "30s"; empty: it is none. */
struct span squid_size(struct squid *squid, struct span number, struct span unit);
struct span squid_time(struct squid *squid, struct span number, struct span unit);

/* squid_words.c: why a directive has no counterpart; NULL: it is none of these */
const char *squid_needless(struct span name);
const char *squid_missing(struct span name);
/* squid_access.c */
void squid_acl(struct squid *squid, const struct squid_line *line);
void squid_http_access(struct squid *squid, const struct squid_line *line);
void squid_access_end(struct squid *squid);
void squid_access_fini(struct squid *squid);
/* squid_log.c */
void squid_access_log(struct squid *squid, const struct squid_line *line);
void squid_logformat(struct squid *squid, const struct squid_line *line);

#endif
