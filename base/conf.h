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

/* What a value is. Made by the macros below. */
struct conf_type {
    enum conf_is is;
    const char *const *words;
    const struct conf_table *table;
    const struct conf_custom *custom;
    uint16_t port;
};

/* The types, and what their fields must be. "Unsigned" is 1, 2, 4 or 8 bytes wide; a value that
 * does not fit is out of range. Texts are NUL-terminated, without control bytes, and live in the
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
/* The same, or one of these words (array that ends with NULL), alone or before a colon. */
#define CONF_PATH_OR(list) {.is = CONF_IS_PATH, .words = (list)}
#define CONF_IP      {.is = CONF_IS_IP}      /* struct ip */
#define CONF_PREFIX  {.is = CONF_IS_PREFIX}  /* struct prefix */
/* struct endpoint; default_port 0: the port must be written. CONF_UNIX allows unix:/path. */
#define CONF_ENDPOINT(default_port) {.is = CONF_IS_ENDPOINT, .port = (default_port)}
/* Unsigned or enum: the index in an array of words that ends with NULL. */
#define CONF_ENUM(list)   {.is = CONF_IS_ENUM, .words = (list)}
#define CONF_CUSTOM(type) {.is = CONF_IS_CUSTOM, .custom = &(type)} /* a struct conf_custom */
#define CONF_MAP(inner)   {.is = CONF_IS_MAP, .table = &(inner)}    /* a struct conf_table */
/* clang-format on */

enum conf_flags {
    CONF_RELOAD = BIT(0),   /* a reload applies it; without: only a restart */
    CONF_REQUIRED = BIT(1), /* must be written; a list with at least one item */
    CONF_OPTIONAL = BIT(2), /* a map that is not written is not bound at all: it stays zero */
    CONF_COMMAS = BIT(3),   /* on the command line commas part the items of the list */
    CONF_UNIX = BIT(4),     /* an endpoint may be a unix socket */
    CONF_SECRET = BIT(5),   /* a scalar that is never printed, not even in errors */
};

/* Where a value goes. Made by the three macros below. */
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
/* For a map: its rows write into the struct that the map itself stands in. */
#define CONF_SAME {0, 0, 0, false}
/* clang-format on */

/* A scalar type of the program's own, such as a URI. */
struct conf_custom {
    const char *expected; /* "a URI such as https://origin.example.net" */
    size_t size;
    /* Reads `text` into *out, from `arena`. ERR_SYNTAX, with *what (optional) a clause such as
     * "the port is missing". */
    int (*parse)(struct span text, struct arena *arena, void *out, const char **what);
};

struct conf_directive {
    const char *name; /* NULL ends the table */
    struct conf_type type;
    struct conf_field field;
    const char *fallback;  /* the default: a scalar as written; for lists and maps YAML; or NULL:
                              none, the field stays zero */
    const char *min, *max; /* NULL: no limit; as the type is written; in lists: of each item */
    unsigned flags;        /* enum conf_flags */
    const char *help;      /* a sentence */
};

struct conf_at; /* a map while it is bound */

struct conf_table {
    const struct conf_directive *rows; /* the last has no name */
    size_t size;                       /* of the struct; with CONF_SAME 0 */
    const char *shorthand;    /* the row that is meant when something else than a map is written */
    const char *shortlist;    /* instead, when that is a list; NULL: shorthand all the same */
    const char *const *later; /* names that a later version will know, up to NULL; or NULL */
    /* Called after the rows of a map are bound, without errors: checks across fields, computed
     * fields. Reports with conf_complain(). May be NULL. */
    void (*finish)(void *bound, struct arena *arena, const struct conf_at *at);
    bool finish_always; /* also with errors inside, so that all is said at once: what could not be
                           bound is zero then, and of a list has its place all the same */
};

/* Where something listens or answers. */
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

/* At most one file, and those that its `include` names: the items of lists add up, other values may
 * stand in one of them only. A file without any directive is an error, but for included ones. */
int conf_load_file(struct conf *conf, const char *path);
/* The same from memory; `name` is shown in errors. */
int conf_load_text(struct conf *conf, const char *name, struct span yaml);

/* Sets the directive at "store.size", replacing what the file says. For lists and maps a value in
 * [] or {} is YAML; anything else is taken literally. `option` is shown as the origin. */
int conf_set(struct conf *conf, const char *option, const char *path, const char *value);
/* The same, but an item of a list is added to those there; a default gives way. */
int conf_add(struct conf *conf, const char *option, const char *path, const char *value);

/* ---- values out ---- */

/* Binds everything to `out` (root->size bytes, zeroed first). Memory comes from `arena`, nothing
 * points into `conf` afterwards. Also fails when an earlier call on this conf did. */
int conf_bind(struct conf *conf, void *out, struct arena *arena);

/* In finish(): the struct that conf_bind() was given. Rows above are bound already. */
void *conf_root(const struct conf_at *at);
/* The map `name` inside this one (number `index` when it is a list of them), for conf_complain()
 * about what is checked only where everything is known. Lives as long as `at`'s conf. */
const struct conf_at *conf_at_map(const struct conf_at *at, const char *name, size_t index);
/* Was the directive written, in the file or on the command line? */
bool conf_given(const struct conf_at *at, const char *name);
/* Where this map is written: "larder.yaml:12", an option, or "default". From `arena`. */
const char *conf_place(const struct conf_at *at, struct arena *arena);
/* No error so far inside this map: what is missing is not only what could not be bound. Of one from
 * conf_at_map(): none when it was bound. */
bool conf_is_whole(const struct conf_at *at);
/* Was this map itself written, be it empty? */
bool conf_written(const struct conf_at *at);
/* An error at the directive `name` of this map (item `index` when it is a list), or at the map
 * itself when name is NULL. The text is "what; expected …". */
__attribute__((format(printf, 4, 5))) void conf_complain(const struct conf_at *at, const char *name,
                                                         size_t index, const char *format, ...);

/* The same about what works and is likely not meant: "note: ...", no error, and only while there
 * are few of them. */
__attribute__((format(printf, 4, 5))) void conf_remark(const struct conf_at *at, const char *name,
                                                       size_t index, const char *format, ...);

/* The word most like `word`, or NULL when none is near. `count` words; NULL ones are skipped. */
const char *conf_closest(const char *word, const char *const *words, size_t count);
/* What an error about an unknown word ends with, as arguments of "%s%s%s": the word that is likely
 * meant (from conf_closest()), or `otherwise` when that is NULL. */
#define CONF_HINT(closest, otherwise)                                                              \
    (closest) ? "; did you mean \"" : (otherwise), (closest) ? (closest) : "",                     \
        (closest) ? "\"?" : ""

/* ---- for people ---- */

/* Valid YAML of every directive, each with its origin as a comment; CONF_SECRET as "(not shown)".
 * After conf_bind(). */
void conf_print(struct conf *conf, struct buf *out);
/* The directives of a table with help, type, range and default, for a terminal of 80 columns. */
void conf_help(const struct conf_table *root, struct buf *out);
/* How many directives take a value. Those that stand in several places with the same name and
 * meaning, such as the conditions of rules, count once. */
size_t conf_count(const struct conf_table *root);
/* The same as Markdown, for docs/configuration.md. */
void conf_manual(const struct conf_table *root, struct buf *out);

/* ---- where paths are written ---- */

/* A text of CONF_PATH, by its pointer in what was bound. */
struct conf_path {
    const char *path;
    const char *origin; /* "proxy.yaml:3:10", "--pages" */
};

struct conf_paths {
    struct conf_path *at;
    size_t count;
};

/* After conf_bind(), also one with errors: all that are written. From `arena`. */
void conf_paths(struct conf *conf, struct arena *arena, struct conf_paths *out);

/* ---- what differs ---- */

/* One value, as text. */
struct conf_setting {
    const char *path;   /* "timeouts.connect"; of a list one for each item, all with the list's */
    const char *shown;  /* YAML on one line; CONF_SECRET as "(not shown)" */
    const char *same;   /* equal when the values are: 60s is 1min */
    const char *origin; /* "proxy.yaml:3:10", "--workers", "default" */
    bool by_reload;     /* a reload applies it */
    bool is_item;       /* of a list: of these the order counts, too */
    bool is_part;       /* a map that may be away: it is there, with all that is in it */
};

struct conf_flat {
    struct conf_setting *at;
    size_t count;
};

/* Somebody wrote a value for the directive: it is not only the default. */
bool conf_is_written(const struct conf_flat *flat, const char *path);

enum conf_change_kind { CONF_ADDED, CONF_REMOVED, CONF_CHANGED, CONF_MOVED };

struct conf_change {
    enum conf_change_kind kind;
    const struct conf_setting *before; /* NULL: added */
    const struct conf_setting *after;  /* NULL: removed. Moved: any item of the list, in both */
};

/* Every value that is written or has a default, after conf_bind(). All of it lies in `arena`. */
void conf_flatten(struct conf *conf, struct arena *arena, struct conf_flat *out);
/* After conf_flatten(), once: what only a restart changes becomes what it is in `held`, that of a
 * configuration in force; of a list that a restart alone can change no item comes or goes, and they
 * keep what a reload may change in them. For conf_print() and conf_flatten() of what is in force
 * then: not for conf_bind(). */
void conf_hold(struct conf *conf, const struct conf_flat *held);
/* Tells each difference, sorted by path. */
void conf_compare(const struct conf_flat *before, const struct conf_flat *after,
                  void (*tell)(void *arg, const struct conf_change *change), void *arg);

/* As lines of text, for another process; and back: ERR_SYNTAX. */
void conf_write_settings(const struct conf_flat *flat, struct buf *out);
int conf_read_settings(struct span text, struct arena *arena, struct conf_flat *out);

enum { CONF_ARGUMENTS_MAX = 256 };

/* How a process was started; its configuration is read again by the same words. */
struct conf_command {
    const char *folder; /* that it runs in */
    const char *arguments[CONF_ARGUMENTS_MAX];
    size_t count;
};

/* Lines that may stand before those of settings, which pass over them. ERR_SYNTAX: there are none.
 */
void conf_write_command(int argc, char **argv, const char *folder, struct buf *out);
int conf_read_command(struct span text, struct arena *arena, struct conf_command *out);

/* ---- the command line ---- */

/* One option. "--name VALUE" and "--name=VALUE" are the same. */
struct conf_option {
    const char *name;  /* "--listen"; NULL ends the table */
    const char *value; /* "ADDRESS" in --help; NULL: takes none */
    const char *path;  /* the directive that it sets or adds to; NULL: see apply */
    const char *help;  /* NULL: not shown */
    /* Instead of path: does what the option does; reports with conf_fault(). NULL with path NULL:
     * the caller looks at it with conf_flag(). */
    int (*apply)(struct conf *conf, const struct conf_option *option, const char *value);
};

/* Understands `options` and always "--config FILE" and "--set PATH=VALUE". The file is loaded
 * first, wherever it stands. */
int conf_arguments(struct conf *conf, const struct conf_option *options, int argc, char **argv);
/* Does an option without a value occur? */
bool conf_flag(const struct conf_option *options, int argc, char **argv, const char *name);
/* The value of an option that has one; NULL when it does not occur, or without. */
const char *conf_value(const struct conf_option *options, int argc, char **argv, const char *name);
/* Adds an error "option: text". Returns ERR_CONFIG. */
__attribute__((format(printf, 3, 4))) int conf_fault(struct conf *conf, const char *option,
                                                     const char *format, ...);
void conf_options_help(const struct conf_option *options, struct buf *out);

#endif
