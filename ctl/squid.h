/*
 * squid - a configuration of Squid as one for larder-proxy, as far as it goes: the directives that
 * people use become YAML with the lines they are from as comments; the rest is listed, each with
 * its line and why. Pure but for the arena and what it is given to reach files by.
 *
 * What would let in more than Squid does is never made silently: a rule that is not understood is
 * told as such, and when it denies, as one that has to be looked at.
 */
#ifndef LARDER_CTL_SQUID_H
#define LARDER_CTL_SQUID_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"

/* How files are reached that squid.conf names. */
struct squid_io {
    void *arg;
    /* Appends what is in the file. 0, or an error of base/err.h. */
    int (*read)(void *arg, const char *path, struct buf *out);
    /* Appends the paths that a pattern matches, each ended by NUL, in their order. */
    void (*match)(void *arg, const char *pattern, struct buf *out);
    /* Keeps a list of hosts under this name; where it lies is appended to `path`, ended by NUL.
     * NULL: lists are not kept. */
    int (*keep)(void *arg, const char *name, struct span text, struct buf *path);
};

/* Reads the text of squid.conf (`name` is shown), writes a whole Larder file to `yaml` and a line
 * for each directive that is not, or not wholly, in it to `notes`. Returns how many were lost;
 * those that Larder does anyway, or has no need of, are noted and not counted. `io` may be NULL:
 * then files that are named cannot be read, and are told. */
size_t squid_import(const char *name, struct span text, const struct squid_io *io, struct buf *yaml,
                    struct buf *notes);

/* ---- the inside, for ctl/squid*.c ---- */

enum {
    SQUID_WORDS_MAX = 512,
    SQUID_ACLS_MAX = 1024,
    SQUID_LINES_MAX = 100000, /* of all files together */
    SQUID_RULES_MAX = 4096,
    SQUID_INCLUDES_MAX = 16, /* one inside the other */
    SQUID_ITEMS_MAX = 500,   /* longer lists of hosts go to files */
};

/* A directive: its words, without quotes; they live in the import's arena. */
struct squid_line {
    const char *file;
    unsigned number; /* of the first line it stands on */
    struct span *words;
    bool *quoted; /* the word stood in double quotes */
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
    X(RESOLVE,       "timeouts", "resolve")                                                        \
    X(CONNECT,       "timeouts", "connect")                                                        \
    X(FIRST_BYTE,    "timeouts", "first-byte")                                                     \
    X(ORIGIN_BODY,   "timeouts", "origin-body")                                                    \
    X(ORIGIN_IDLE,   "timeouts", "origin-idle")                                                    \
    X(DRAIN,         "timeouts", "drain")                                                          \
    X(HEAD,          "limits",   "head")                                                           \
    X(USERS,         "users",    "file")                                                           \
    X(REALM,         "users",    "realm")                                                          \
    X(TOTAL,         "shares",   "total")                                                          \
    X(FREE_HITS,     "shares",   "free-hits")
/* clang-format on */

enum squid_value {
#define X(id, map, name) SQUID_##id,
    SQUID_VALUES(X)
#undef X
        SQUID_VALUE_COUNT
};

/* What a condition is about. */
enum squid_kind {
    SQUID_IS_FROM,
    SQUID_IS_HOSTS,
    SQUID_IS_PORTS,
    SQUID_IS_METHODS,
    SQUID_IS_USERS,
    SQUID_IS_HOURS,
    SQUID_KINDS,
};

/* A name of acl: requests for which one item holds. */
struct squid_acl {
    struct span name, type;
    const char *file; /* and line: where it stands first */
    unsigned number;
    enum squid_kind kind; /* SQUID_KINDS: nothing that can be said */
    struct buf items;     /* in Larder's words, each ended by NUL */
    struct buf files;     /* of hosts: lists, likewise */
    const char *why;      /* it cannot be said, or NULL */
    bool everything;      /* all requests */
    bool partly;          /* some values could not be said: Squid's is about more */
    bool wider;           /* Squid's is about less */
    struct squid_acl *next;
};

/* One kind of condition in a rule. */
struct squid_part {
    enum squid_kind kind;
    bool used;
    struct span items, files;
};

enum { SQUID_EXCEPTIONS_MAX = 32 };

/* A rule as it is put together: all parts hold, and no exception does. Spans live in the arena. */
struct squid_built {
    struct squid_part parts[SQUID_KINDS];
    struct squid_part except[SQUID_EXCEPTIONS_MAX];
    size_t except_count;
    bool never;       /* it holds for nothing that Larder is asked */
    bool fewer, more; /* it holds for less, or more, than Squid's */
    bool kept;        /* it is about what Larder refuses anyway */
    struct span why;  /* it cannot be said; empty: it can */
};

/* A line of http_access or delay_access, until all names are known: more lines of acl may follow.
 */
struct squid_rule {
    struct squid_rule *next;
    struct squid_line line;
    size_t first; /* the word that is its first condition */
    bool deny;
};

struct squid_rules {
    struct squid_rule *first, **last;
    size_t count;
};

enum { SQUID_POOLS_MAX = 64 };

struct squid_pool {
    unsigned class;
    struct squid_line parameters; /* count 0: none */
    struct squid_rules access;
};

struct squid {
    const char *name;
    const struct squid_io *io;
    struct arena arena;
    struct buf *notes;
    size_t lost;
    struct {
        struct span text; /* YAML; empty: not given */
        struct span from; /* "squid.conf:7" */
    } values[SQUID_VALUE_COUNT];
    struct buf listen, stores, access, sites, logs; /* items of lists, in YAML */
    size_t store_count;
    struct span object_max, object_max_from;
    struct squid_acl *acls;
    size_t acl_count;
    struct squid_rules rules;
    struct squid_pool pools[SQUID_POOLS_MAX];
    size_t pool_count;
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
void squid_origin(const struct squid_line *line, struct buf *out);
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
/* With a NUL behind it. */
char *squid_string(struct squid *squid, struct span text);
/* A copy that outlives the next line. */
struct squid_line squid_keep(struct squid *squid, const struct squid_line *line);

/* squid_file.c: reads all lines, of included files too; those that count go to `each` */
void squid_read(struct squid *squid, struct span text,
                void (*each)(struct squid *squid, const struct squid_line *line));
/* squid_write.c */
void squid_write(struct squid *squid, struct buf *yaml);

/* squid_words.c: why a directive has no counterpart; NULL: it is none of these */
const char *squid_needless(struct span name);
const char *squid_missing(struct span name);

/* squid_acl.c */
void squid_acl(struct squid *squid, const struct squid_line *line);
struct squid_acl *squid_find_acl(struct squid *squid, struct span name);
void squid_acl_fini(struct squid *squid);
/* squid_regex.c: the hosts that a pattern is about, as items; NULL, or why they cannot be said.
 * `is_url`: it is matched against URLs; *wider: it is about less than the hosts. */
const char *squid_regex_hosts(struct span pattern, bool ignore_case, bool is_url, struct buf *items,
                              bool *wider);
/* squid_sets.c: can this be the name of a host? */
bool squid_is_host(struct span name);
/* values of Squid's as items of ours; false: there are none such */
bool squid_put_source(struct span value, struct buf *items);
bool squid_put_port(struct span value, struct buf *items);
/* Days and times; *inclusive: an end that Squid counts in was left out. */
bool squid_put_hours(const struct squid_line *line, size_t from, struct buf *items,
                     bool *inclusive);
/* What is in both; false: it cannot be said. */
bool squid_intersect(struct squid *squid, struct squid_part *part, const struct squid_part *other);

/* squid_access.c */
void squid_http_access(struct squid *squid, const struct squid_line *line);
void squid_access_end(struct squid *squid);
/* Keeps a rule whose conditions begin with word `first`; tells when there are too many. */
void squid_add_rule(struct squid *squid, struct squid_rules *rules, const struct squid_line *line,
                    size_t first, bool deny);
bool squid_same_part(const struct squid_part *a, const struct squid_part *b);
/* Adds the conditions of a rule to what is built. */
void squid_build(struct squid *squid, const struct squid_rule *rule, struct squid_built *built);
/* Writes it to squid->access; `rate`: bytes a second, empty: no limits. */
void squid_put_rule(struct squid *squid, const struct squid_line *line, bool deny,
                    const struct squid_built *built, struct span rate);
/* Is it for all requests? */
bool squid_is_all(struct squid *squid, const struct squid_rule *rule);

/* squid_delay.c */
void squid_delay(struct squid *squid, const struct squid_line *line);
/* Shares; and which of the pools could not be said. Before rules are put. */
void squid_delay_end(struct squid *squid);
/* Puts a rule that allows, once for each rate that its requests may have. */
void squid_put_paced(struct squid *squid, const struct squid_rule *rule,
                     const struct squid_built *built);

/* squid_log.c */
void squid_access_log(struct squid *squid, const struct squid_line *line);
void squid_logformat(struct squid *squid, const struct squid_line *line);

#endif
