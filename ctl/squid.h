/*
 * squid - translates a configuration of Squid into one of larder-proxy, as far as possible. Common
 * directives become YAML, with their origin as comments; the others are listed with line and
 * reason. Pure, except for the given access to files.
 *
 * It never silently allows more than Squid does: a rule that cannot be translated is reported, and
 * if it denies, as one that has to be checked.
 */
#ifndef LARDER_CTL_SQUID_H
#define LARDER_CTL_SQUID_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"

/* Access to files named in squid.conf. */
struct squid_io {
    void *arg;
    /* Appends the content of a file. 0, or an error of base/err.h. */
    int (*read)(void *arg, const char *path, struct buf *out);
    /* Appends the paths matched by a pattern, in order, each ended by NUL. */
    void (*match)(void *arg, const char *pattern, struct buf *out);
    /* Writes a list of hosts under this name, and appends its path to `path`, ended by NUL. NULL:
     * lists are not written. */
    int (*keep)(void *arg, const char *name, struct span text, struct buf *path);
};

/* Translates the text of squid.conf (`name` is shown). Writes a complete file for Larder to `yaml`,
 * and to `notes` a line for each directive that is not, or not completely, in it. Returns how many
 * were lost, without those that Larder does by default or does not need, which are only noted. `io`
 * NULL: files cannot be read, which is noted. */
size_t squid_import(const char *name, struct span text, const struct squid_io *io, struct buf *yaml,
                    struct buf *notes);

/* ---- the inside, for ctl/squid*.c ---- */

enum {
    SQUID_WORDS_MAX = 512,
    SQUID_ACLS_MAX = 1024,
    SQUID_LINES_MAX = 100000, /* of all files together */
    SQUID_RULES_MAX = 4096,
    SQUID_INCLUDES_MAX = 16, /* nesting depth */
    SQUID_ITEMS_MAX = 500,   /* longer lists of hosts become files */
};

/* A directive as words without quotes, in the import's arena. */
struct squid_line {
    const char *file;
    unsigned number; /* of its first line */
    struct span *words;
    bool *quoted; /* for each word: it was in double quotes */
    size_t count;
    bool cut;        /* it had more words */
    struct span raw; /* as written, joined to one line */
};

/* Directives that become a single value: id, map (empty: none), name. */
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

/* What a condition tests. */
enum squid_kind {
    SQUID_IS_FROM,
    SQUID_IS_HOSTS,
    SQUID_IS_PORTS,
    SQUID_IS_METHODS,
    SQUID_IS_USERS,
    SQUID_IS_HOURS,
    SQUID_KINDS,
};

/* An acl: matches requests for which any item matches. */
struct squid_acl {
    struct span name, type;
    const char *file; /* file and line where it was first written */
    unsigned number;
    enum squid_kind kind; /* SQUID_KINDS: cannot be expressed */
    struct buf items;     /* in Larder's form, each ended by NUL */
    struct buf files;     /* files with lists of hosts, likewise */
    const char *why;      /* why it cannot be expressed, or NULL */
    bool everything;      /* matches all requests */
    bool partly;          /* some items cannot be expressed: Squid's matches more */
    bool wider;           /* Squid's matches less */
    struct squid_acl *next;
};

/* One condition of a rule. */
struct squid_part {
    enum squid_kind kind;
    bool used;
    struct span items, files;
};

enum { SQUID_EXCEPTIONS_MAX = 32 };

/* A rule while it is being translated: all parts must match, and no exception. Spans are in the
 * arena. */
struct squid_built {
    struct squid_part parts[SQUID_KINDS];
    struct squid_part except[SQUID_EXCEPTIONS_MAX];
    size_t except_count;
    bool never;       /* matches nothing that reaches Larder */
    bool fewer, more; /* matches less, or more, than Squid's */
    bool kept;        /* is about what Larder always refuses */
    struct span why;  /* why it cannot be expressed; empty: it can */
};

/* A line of http_access or delay_access, kept until all acls are known. */
struct squid_rule {
    struct squid_rule *next;
    struct squid_line line;
    size_t first; /* index of the word with its first condition */
    bool deny;
};

struct squid_rules {
    struct squid_rule *first, **last;
    size_t count;
};

enum { SQUID_POOLS_MAX = 64 };

struct squid_pool {
    unsigned class;
    struct squid_line parameters; /* count 0: absent */
    struct squid_rules access;
};

struct squid {
    const char *name;
    const struct squid_io *io;
    struct arena arena;
    struct buf *notes;
    size_t lost;
    struct {
        struct span text; /* YAML; empty: absent */
        struct span from; /* "squid.conf:7" */
    } values[SQUID_VALUE_COUNT];
    struct buf listen, stores, access, sites, logs; /* items of lists, as YAML */
    size_t store_count;
    struct span object_max, object_max_from;
    struct squid_acl *acls;
    size_t acl_count;
    struct squid_rules rules;
    struct squid_pool pools[SQUID_POOLS_MAX];
    size_t pool_count;
    struct squid_format *formats;
    struct span site; /* defaultsite of an accelerator port */
    bool accelerates;
};

/* Reads the next directive. False: the end. *rest is advanced; *number counts lines. */
bool squid_next(struct squid *squid, struct span *rest, unsigned *number, struct squid_line *line);

/* Add a note "name:line: directive: what". */
__attribute__((format(printf, 3, 4))) void
squid_lose(struct squid *squid, const struct squid_line *line, const char *format, ...);
__attribute__((format(printf, 3, 4))) void
squid_remark(struct squid *squid, const struct squid_line *line, const char *format, ...);
void squid_set(struct squid *squid, const struct squid_line *line, enum squid_value value,
               struct span text);
/* Writes the comment with the origin of a directive, and ends the line. */
void squid_origin(const struct squid_line *line, struct buf *out);
/* What follows so many words, including quotes. */
struct span squid_rest(const struct squid_line *line, size_t words);
/* Word number `i`, or empty. */
struct span squid_word(const struct squid_line *line, size_t i);
/* The value after `name` (which includes "=") among the words from `from` on, or empty. */
struct span squid_option(const struct squid_line *line, size_t from, const char *name);
bool squid_has(const struct squid_line *line, size_t from, const char *word);
/* "256 MB" becomes "256MiB", "30 seconds" becomes "30s"; empty: not valid. */
struct span squid_size(struct squid *squid, struct span number, struct span unit);
struct span squid_time(struct squid *squid, struct span number, struct span unit);
/* A NUL-terminated copy. */
char *squid_string(struct squid *squid, struct span text);
/* A copy that outlives the next line. */
struct squid_line squid_keep(struct squid *squid, const struct squid_line *line);

/* squid_file.c: reads all lines, also of included files, and passes directives to `each`. */
void squid_read(struct squid *squid, struct span text,
                void (*each)(struct squid *squid, const struct squid_line *line));
/* squid_write.c */
void squid_write(struct squid *squid, struct buf *yaml);

/* squid_words.c: why a directive is not needed, or is not supported; NULL: neither. */
const char *squid_needless(struct span name);
const char *squid_missing(struct span name);

/* squid_acl.c */
void squid_acl(struct squid *squid, const struct squid_line *line);
struct squid_acl *squid_find_acl(struct squid *squid, struct span name);
void squid_acl_fini(struct squid *squid);
/* squid_regex.c: adds the hosts that a pattern matches as items. Returns NULL, or why that is
 * impossible. `is_url`: the pattern is for URLs; *wider: it matches less than these hosts. */
const char *squid_regex_hosts(struct span pattern, bool ignore_case, bool is_url, struct buf *items,
                              bool *wider);
/* squid_sets.c: is it a valid host name? */
bool squid_is_host(struct span name);
/* Convert values of Squid to items; false: not possible. */
bool squid_put_source(struct span value, struct buf *items);
bool squid_put_port(struct span value, struct buf *items);
/* Days and times. *inclusive: an end that Squid includes was left out. */
bool squid_put_hours(const struct squid_line *line, size_t from, struct buf *items,
                     bool *inclusive);
/* Intersects two conditions; false: it cannot be expressed. */
bool squid_intersect(struct squid *squid, struct squid_part *part, const struct squid_part *other);

/* squid_access.c */
void squid_http_access(struct squid *squid, const struct squid_line *line);
void squid_access_end(struct squid *squid);
/* Keeps a rule whose conditions begin at word `first`; notes when there are too many. */
void squid_add_rule(struct squid *squid, struct squid_rules *rules, const struct squid_line *line,
                    size_t first, bool deny);
bool squid_same_part(const struct squid_part *a, const struct squid_part *b);
/* Adds the conditions of a rule to `built`. */
void squid_build(struct squid *squid, const struct squid_rule *rule, struct squid_built *built);
/* Writes a rule to squid->access; `rate`: bytes a second, empty: no limit. */
void squid_put_rule(struct squid *squid, const struct squid_line *line, bool deny,
                    const struct squid_built *built, struct span rate);
/* Does it match all requests? */
bool squid_is_all(struct squid *squid, const struct squid_rule *rule);

/* squid_delay.c */
void squid_delay(struct squid *squid, const struct squid_line *line);
/* Writes shares, and notes pools that cannot be expressed. Before rules are written. */
void squid_delay_end(struct squid *squid);
/* Writes a rule that allows, once for each rate that applies to its requests. */
void squid_put_paced(struct squid *squid, const struct squid_rule *rule,
                     const struct squid_built *built);

/* squid_log.c */
void squid_access_log(struct squid *squid, const struct squid_line *line);
void squid_logformat(struct squid *squid, const struct squid_line *line);

#endif
