/* YAML into a table with every type. What binds is printed, and the print binds again. */
#include "base/check.h"
#include "base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct inner {
    char *name;
    struct prefix *from;
    size_t from_count;
    double real;
};

struct outer {
    bool flag;
    uint8_t small;
    uint64_t size, msec, sec, percent;
    unsigned word;
    struct ip ip;
    char *path;
    struct endpoint *listen;
    size_t listen_count;
    struct inner *inner, one;
    size_t inner_count;
};

#define IN(member) CONF_FIELD(struct inner, member)
#define OUT(member) CONF_FIELD(struct outer, member)
#define ROW(name, type, field, fallback, max, flags)                                               \
    {                                                                                              \
        name, type, field, fallback, NULL, max, flags, "Fuzzed."                                   \
    }

static const char *const words[] = {"red", "green", NULL};

/* clang-format off */
static const struct conf_directive inner_rows[] = {
    ROW("name", CONF_STRING, IN(name), NULL, "20", CONF_REQUIRED),
    ROW("from", CONF_PREFIX, CONF_LIST(struct inner, from, from_count), "[\"::/0\"]", NULL, 0),
    ROW("real", CONF_REAL, IN(real), "1.5", "180", 0),
    {0},
};
static const struct conf_table inner_table = {
    .rows = inner_rows, .size = sizeof(struct inner), .shorthand = "name"};
static const struct conf_directive same_rows[] = {
    ROW("flag", CONF_BOOL, OUT(flag), "yes", NULL, 0),
    ROW("small", CONF_INT, OUT(small), "1", NULL, 0),
    {0},
};
static const struct conf_table same_table = {.rows = same_rows};
static const struct conf_directive rows[] = {
    ROW("size", CONF_SIZE, OUT(size), "1KiB", "1TiB", 0),
    ROW("msec", CONF_MSEC, OUT(msec), "3s", "1d", 0),
    ROW("sec", CONF_SEC, OUT(sec), "3s", "1d", 0),
    ROW("percent", CONF_PERCENT, OUT(percent), "10%", "100%", 0),
    ROW("word", CONF_ENUM(words), OUT(word), "red", NULL, 0),
    ROW("ip", CONF_IP, OUT(ip), "::1", NULL, 0),
    ROW("path", CONF_PATH, OUT(path), NULL, NULL, 0),
    ROW("listen", CONF_ENDPOINT(53), CONF_LIST(struct outer, listen, listen_count), "[]", NULL,
        CONF_UNIX),
    ROW("inner", CONF_MAP(inner_table), CONF_LIST(struct outer, inner, inner_count), NULL, NULL, 0),
    ROW("one", CONF_MAP(inner_table), OUT(one), NULL, NULL, CONF_OPTIONAL),
    ROW("same", CONF_MAP(same_table), CONF_SAME, NULL, NULL, 0),
    {0},
};
/* clang-format on */
static const struct conf_table table = {.rows = rows, .size = sizeof(struct outer)};

/* 0 and the printed configuration, or an error and what it says. */
static int round_of(struct span yaml, struct buf *out)
{
    struct outer outer;
    struct buf errors = BUF_INIT;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    struct conf *conf = conf_new(&table, &errors);
    conf_load_text(conf, "fuzz", yaml);
    int err = conf_bind(conf, &outer, &arena);
    CHECK((err == 0) == (buf_len(&errors) == 0));
    if (!err) {
        conf_print(conf, out);
    }
    conf_free(&conf);
    arena_fini(&arena);
    buf_fini(&errors);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first = BUF_INIT, second = BUF_INIT;

    if (round_of(span_of(data, size), &first) == 0) {
        CHECK(round_of(buf_span(&first), &second) == 0);
    }
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
