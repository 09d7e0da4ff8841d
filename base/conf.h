/*
 * conf - configuration by tables: one row is name, type, place, default, range and manual of a
 * directive; parser, checks, --help and --print-config are all made from it.
 *
 *     #define FIELD(member) CONF_FIELD(struct settings, member)
 *     static const struct conf_directive rows[] = {
 *         {"connect-timeout", CONF_MSEC, FIELD(connect_timeout), "3s", "1ms", "5min", CONF_RELOAD,
 *          "Give up connecting to an origin after this long."},
 *         {0},
 *     };
 *     static const struct conf_table table = {.rows = rows, .size = sizeof(struct settings)};
 *
 *     struct conf *conf = conf_new(&table, &errors);
 *     conf_load_file(conf, path);
 *     conf_set(conf, "--set", "connect-timeout", "5s");
 *     err = conf_bind(conf, &settings, &arena);   // all errors at once, in `errors`
 *     conf_free(&conf);
 *
 * Values come from a YAML file and those it includes (libyaml; no anchors, aliases or tags; bounded
 * size, depth and count), then from the command line, else from the row's default; each remembers
 * where it was written. Every error is one line: "file:line:column: what; expected …", with
 * "did you mean "…"?" for misspelt words, or "--option: what; …".
 *
 * Not thread-safe. The calls return 0 or ERR_CONFIG after writing to `errors`.
 */
#ifndef LARDER_BASE_CONF_H
#define LARDER_BASE_CONF_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/prefix.h"

/* clang-format off */
enum conf_is {
    CONF_IS_BOOL, CONF_IS_INT, CONF_IS_REAL, CONF_IS_SIZE, CONF_IS_MSEC, CONF_IS_SEC,
    CONF_IS_PERCENT, CONF_IS_STRING, CONF_IS_PATH, CONF_IS_ENUM, CONF_IS_IP, CONF_IS_PREFIX,
    CONF_IS_ENDPOINT, CONF_IS_CUSTOM, CONF_IS_MAP,
};
/* clang-format on */

/* The type of a value. Made by the macros below. */
struct conf_type {
    enum conf_is is;
    const char *const *words;
    const struct conf_table *table;
    const struct conf_custom *custom;
    uint16_t port;
};

/* The types, and what their fields must be. "Unsigned" is 1, 2, 4 or 8 bytes wide; a value that
 * does not fit is out of range. Texts are NUL-terminated, have no control bytes, and live in the
 * arena of conf_bind(). */
/* clang-format off */
#define CONF_BOOL    {.is = CONF_IS_BOOL}    /* bool: true, yes, on; false, no, off */
#define CONF_INT     {.is = CONF_IS_INT}     /* unsigned */
#define CONF_REAL    {.is = CONF_IS_REAL}    /* double, with sign */
#define CONF_SIZE    {.is = CONF_IS_SIZE}    /* unsigned, bytes: 64KiB, 10G; 10GB is decimal */
#define CONF_MSEC    {.is = CONF_IS_MSEC}    /* unsigned: 250ms, 30s, 5min, 1h, 7d, 2w; 0 */
#define CONF_SEC     {.is = CONF_IS_SEC}     /* unsigned: the same without ms */
#define CONF_PERCENT {.is = CONF_IS_PERCENT} /* unsigned: 10% or 10 */
#define CONF_STRING  {.is = CONF_IS_STRING}  /* char *; min, max: its length, else 1 to 4096 */
#define CONF_PATH    {.is = CONF_IS_PATH}    /* char *; in a file relative to that file's folder */
/* The same, or one of these words (an array that ends with NULL), alone or before a colon. */
#define CONF_PATH_OR(list) {.is = CONF_IS_PATH, .words = (list)}
#define CONF_IP      {.is = CONF_IS_IP}      /* struct ip */
#define CONF_PREFIX  {.is = CONF_IS_PREFIX}  /* struct prefix */
#define CONF_LENGTHS CONF_CUSTOM(conf_prefix_lengths) /* struct prefix_lengths: 24/56 */
/* struct endpoint. default_port 0: the port must be written. CONF_UNIX allows unix:/path. */
#define CONF_ENDPOINT(default_port) {.is = CONF_IS_ENDPOINT, .port = (default_port)}
/* Unsigned or enum: the index in an array of words that ends with NULL. */
#define CONF_ENUM(list)   {.is = CONF_IS_ENUM, .words = (list)}
#define CONF_CUSTOM(type) {.is = CONF_IS_CUSTOM, .custom = &(type)} /* a struct conf_custom */
#define CONF_MAP(inner)   {.is = CONF_IS_MAP, .table = &(inner)}    /* a struct conf_table */
/* clang-format on */

enum conf_flags {
    CONF_RELOAD = BIT(0),   /* a reload applies it; else only a restart */
    CONF_REQUIRED = BIT(1), /* must be written; a list needs at least one item */
    CONF_OPTIONAL = BIT(2), /* a map that is not written is not bound: it stays zero */
    CONF_COMMAS = BIT(3),   /* on the command line, commas separate items of the list */
    CONF_UNIX = BIT(4),     /* an endpoint may be a unix socket */
    CONF_SECRET = BIT(5),   /* a scalar that is never printed, not even in errors */
};

/* Where a value is stored. Made by the three macros below. */
struct conf_field {
    size_t at;
    size_t size;     /* of the field or, in lists, of one item */
    size_t count_at; /* lists: the size_t with the number of items */
    bool list;
};

/* clang-format off */
#define CONF_FIELD(type, member) {offsetof(type, member), sizeof(((type *)0)->member), 0, false}
/* `member` points to an array in the arena (NULL when empty), `count` is a size_t. In YAML a list
 * of one item may be written as the item itself. */
#define CONF_LIST(type, member, count)                                                             \
    {offsetof(type, member), sizeof(*((type *)0)->member), offsetof(type, count), true}
/* For a map: its rows write to the struct that has the map. */
#define CONF_SAME {0, 0, 0, false}
/* clang-format on */

/* A scalar type of the program, such as a URI. */
struct conf_custom {
    const char *expected; /* "a URI such as https://origin.example.net" */
    size_t size;
    /* Parses `text` into *out, with memory from `arena`. Returns 0, or ERR_SYNTAX with *what
     * (optional) a clause such as "the port is missing". */
    int (*parse)(struct span text, struct arena *arena, void *out, const char **what);
};

extern const struct conf_custom conf_prefix_lengths;

struct conf_directive {
    const char *name; /* NULL ends the table */
    struct conf_type type;
    struct conf_field field;
    const char *fallback;  /* the default: a scalar as written, YAML for lists and maps; NULL: none,
                              the field stays zero */
    const char *min, *max; /* as the type is written; NULL: no limit; for lists: of each item */
    unsigned flags;        /* enum conf_flags */
    const char *help;      /* a sentence */
};

struct conf_at; /* a map while it is being bound */

struct conf_table {
    const struct conf_directive *rows; /* the last has no name */
    size_t size;                       /* of the struct; 0 with CONF_SAME */
    const char *shorthand;    /* the row that is meant when something other than a map is written */
    const char *shortlist;    /* the same for a list; NULL: `shorthand` */
    const char *const *later; /* names reserved for later versions, ended by NULL; or NULL */
    /* Called after the rows of a map were bound without errors: checks across fields, and computed
     * fields. Reports with conf_complain(). May be NULL. */
    void (*finish)(void *bound, struct arena *arena, const struct conf_at *at);
    bool finish_always; /* call it also after errors, so that all are reported at once: what could
                           not be bound is zero, but has its place in lists */
};

/* An address to listen at or to connect to. */
struct endpoint {
    struct sockaddr_storage address;
    socklen_t len;   /* 0: none */
    char *unix_path; /* instead of an address; else NULL */
    char *text;      /* as configured */
};

/* ---- life ---- */

struct conf;

/* `root` and `errors` must outlive it. */
struct conf *conf_new(const struct conf_table *root, struct buf *errors);
void conf_free(struct conf **conf); /* accepts NULL; sets *conf to NULL */

/* ---- values in ---- */

/* Loads a file, and those that its `include` names. Items of lists are joined; other values may be
 * written in one file only. To be called at most once. A file without directives is an error,
 * unless it is included. */
int conf_load_file(struct conf *conf, const char *path);
/* The same from memory; `name` is shown in errors. */
int conf_load_text(struct conf *conf, const char *name, struct span yaml);

/* Sets the directive at a path such as "store.size", replacing what the file says. For lists and
 * maps a value in [] or {} is YAML; anything else is taken literally. Errors are reported as those
 * of `option`. */
int conf_set(struct conf *conf, const char *option, const char *path, const char *value);
/* The same, but adds an item to a list; a default list is replaced. */
int conf_add(struct conf *conf, const char *option, const char *path, const char *value);

/* ---- values out ---- */

/* Binds everything to `out` (root->size bytes, zeroed first). Memory is from `arena`; nothing
 * points into `conf` afterwards. Returns ERR_CONFIG also if an earlier call on this conf has
 * failed. */
int conf_bind(struct conf *conf, void *out, struct arena *arena);

/* For finish(): the struct that conf_bind() was given. Earlier rows are bound already. */
void *conf_root(const struct conf_at *at);
/* The map `name` inside this one (number `index` of a list of maps), for conf_complain() about
 * checks that are made later. Borrowed from the conf. */
const struct conf_at *conf_at_map(const struct conf_at *at, const char *name, size_t index);
/* Was the directive written, in a file or on the command line? */
bool conf_given(const struct conf_at *at, const char *name);
/* Where this map was written: "larder.yaml:12", an option, or "default". From `arena`. */
const char *conf_place(const struct conf_at *at, struct arena *arena);
/* Has this map had no errors so far? Otherwise missing values may be ones that could not be
 * bound. */
bool conf_is_whole(const struct conf_at *at);
/* Was this map written, even if it is empty? */
bool conf_written(const struct conf_at *at);
/* Reports an error at the directive `name` of this map (item `index` of a list), or at the map
 * itself if `name` is NULL. The text is "what; expected …". */
__attribute__((format(printf, 4, 5))) void conf_complain(const struct conf_at *at, const char *name,
                                                         size_t index, const char *format, ...);

/* Reports what is valid but probably not intended, as "note: …". No error; limited in number. */
__attribute__((format(printf, 4, 5))) void conf_remark(const struct conf_at *at, const char *name,
                                                       size_t index, const char *format, ...);

/* The word most similar to `word`, or NULL if none is similar. Skips NULL words. */
const char *conf_closest(const char *word, const char *const *words, size_t count);
/* The end of an error about an unknown word, as arguments for "%s%s%s": a hint at the word that is
 * probably meant (from conf_closest()), or `otherwise` if that is NULL. */
#define CONF_HINT(closest, otherwise)                                                              \
    (closest) ? "; did you mean \"" : (otherwise), (closest) ? (closest) : "",                     \
        (closest) ? "\"?" : ""

/* ---- for people ---- */

/* Prints every directive as valid YAML, each with its origin as a comment; CONF_SECRET as "(not
 * shown)". After conf_bind(). */
void conf_print(struct conf *conf, struct buf *out);
/* Writes text without control bytes in double quotes, as YAML. */
void conf_quote(struct buf *out, struct span text);
/* Describes the directives of a table with help, type, range and default, for a terminal of 80
 * columns. */
void conf_help(const struct conf_table *root, struct buf *out);
/* How much there is to know of a table. */
struct conf_counts {
    size_t directives; /* each set once: a value, or a list, also of maps; with `include` */
    size_t parameters; /* of the items of lists; those that occur in several places with the same
                          name and meaning, such as the conditions of rules, count once */
};
struct conf_counts conf_count(const struct conf_table *root);
/* The same as Markdown, for docs/configuration.md. */
void conf_manual(const struct conf_table *root, struct buf *out);

/* ---- where paths are written ---- */

/* A text of type CONF_PATH, identified by its pointer in what was bound. */
struct conf_path {
    const char *path;
    const char *origin; /* "proxy.yaml:3:10", "--pages" */
};

struct conf_paths {
    struct conf_path *at;
    size_t count;
};

/* All paths that were written, after conf_bind(), also if that failed. From `arena`. */
void conf_paths(struct conf *conf, struct arena *arena, struct conf_paths *out);

/* Adds a line such as "FILE:LINE:COLUMN: what", without its end, to the errors from byte `from` on,
 * which stay in the order of the file. Lines about other files, or about no place, stay where they
 * are. */
void conf_sort_in(struct buf *errors, size_t from, struct span line);

/* ---- what differs ---- */

/* One value, as text. */
struct conf_setting {
    const char
        *path; /* "timeouts.connect"; a list has one entry for each item, all with its path */
    const char *shown;  /* YAML on one line; CONF_SECRET as "(not shown)" */
    const char *same;   /* equal for equal values: 60s is 1min */
    const char *origin; /* "proxy.yaml:3:10", "--workers", "default" */
    bool by_reload;     /* a reload applies it */
    bool is_item;       /* an item of a list, where the order counts */
    bool is_part;       /* an optional map that is present */
};

struct conf_flat {
    struct conf_setting *at;
    size_t count;
};

/* Was a value written for the directive? */
bool conf_is_written(const struct conf_flat *flat, const char *path);

enum conf_change_kind { CONF_ADDED, CONF_REMOVED, CONF_CHANGED, CONF_MOVED };

struct conf_change {
    enum conf_change_kind kind;
    const struct conf_setting *before; /* NULL: added */
    const struct conf_setting
        *after; /* NULL: removed. For CONF_MOVED both are any item of the list */
};

/* Lists every value that was written or has a default, after conf_bind(). Memory is from
 * `arena`. */
void conf_flatten(struct conf *conf, struct arena *arena, struct conf_flat *out);
/* Sets what only a restart can change to its value in `held`, the configuration in force. Lists
 * that only a restart can change keep their items, in which a reload may change values. Call it
 * once, after conf_flatten(), for conf_print() and conf_flatten() of what is then in force; not
 * before conf_bind(). */
void conf_hold(struct conf *conf, const struct conf_flat *held);
/* Calls `tell` for each difference, sorted by path. */
void conf_compare(const struct conf_flat *before, const struct conf_flat *after,
                  void (*tell)(void *arg, const struct conf_change *change), void *arg);

/* Writes settings as lines of text for another process, and reads them; ERR_SYNTAX. */
void conf_write_settings(const struct conf_flat *flat, struct buf *out);
int conf_read_settings(struct span text, struct arena *arena, struct conf_flat *out);

enum { CONF_ARGUMENTS_MAX = 256 };

/* How a process was started. Its configuration is read again with the same arguments. */
struct conf_command {
    const char *folder; /* working directory */
    const char *arguments[CONF_ARGUMENTS_MAX];
    size_t count;
};

/* Lines before those of settings, which ignore them. ERR_SYNTAX: there are none. */
void conf_write_command(int argc, char **argv, const char *folder, struct buf *out);
int conf_read_command(struct span text, struct arena *arena, struct conf_command *out);

/* ---- the command line ---- */

/* One option. "--name VALUE" and "--name=VALUE" are the same. */
struct conf_option {
    const char *name;  /* "--listen"; NULL ends the table */
    const char *value; /* "ADDRESS" in --help; NULL: takes none */
    const char *path;  /* the directive that it sets or adds to; NULL: see `apply` */
    const char *help;  /* NULL: not shown in --help */
    /* Called if `path` is NULL. Reports with conf_fault(). If both are NULL, the caller asks
     * conf_flag(). */
    int (*apply)(struct conf *conf, const struct conf_option *option, const char *value);
};

/* Parses `options`, and always "--config FILE" and "--set PATH=VALUE". The file is loaded first,
 * wherever the option is. */
int conf_arguments(struct conf *conf, const struct conf_option *options, int argc, char **argv);
/* Is this option, which takes no value, present? */
bool conf_flag(const struct conf_option *options, int argc, char **argv, const char *name);
/* The value of an option; NULL if the option or its value is missing. */
const char *conf_value(const struct conf_option *options, int argc, char **argv, const char *name);
/* Reports the error "option: text". Returns ERR_CONFIG. */
__attribute__((format(printf, 3, 4))) int conf_fault(struct conf *conf, const char *option,
                                                     const char *format, ...);
void conf_options_help(const struct conf_option *options, struct buf *out);

#endif
