#include "dnsredir/config/directives_update.h"

#include "base/err.h"
#include "dnsredir/zone/update.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- keys ---- */

#define KEY_FILE_MAX 4096

static int parse_key_secret(struct span text, struct arena *arena, void *out, const char **what)
{
    return tsig_secret_parse(text, out, what);
}

static const struct conf_custom key_secret = {
    .expected = "base64 of at least 16 bytes, such as from openssl rand -base64 32",
    .size = sizeof(struct tsig_secret),
    .parse = parse_key_secret,
};

/* Reads at most `room` bytes of the file. Returns the length, or -errno. Reports a file that other
 * users could read. */
static ssize_t read_key_file(const char *path, char *text, size_t room)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    ssize_t len = read(fd, text, room);
    len = len < 0 ? -errno : len;
    if (len >= 0 && fstat(fd, &stat) == 0 && stat.st_mode & (S_IROTH | S_IWOTH)) {
        log_warn("key_file_open_to_all", "file=%s", path);
    }
    close(fd);
    return len;
}

static void load_key_file(struct key_row *row, const struct conf_at *at)
{
    char text[KEY_FILE_MAX];
    const char *what = NULL;
    ssize_t len = read_key_file(row->secret_file, text, sizeof(text));

    if (len < 0) {
        conf_complain(at, "secret-file", 0, "%s cannot be read: %s; expected a readable file",
                      row->secret_file, err_text((int)len));
    } else if (tsig_secret_parse_file(span_of(text, (size_t)len), &row->secret, &what)) {
        conf_complain(at, "secret-file", 0,
                      "%s: %s; expected %s, alone or as tsig-keygen writes it", row->secret_file,
                      what, key_secret.expected);
    }
    explicit_bzero(text, sizeof(text));
}

static void check_key(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct key_row *row = bound;
    bool inline_secret = conf_given(at, "secret");

    if (name_parse_absolute(span_str(row->name), &row->key_name)) {
        conf_complain(at, "name", 0, "\"%s\" is not a domain name; expected one such as fra-key",
                      row->name);
    }
    if (inline_secret == (row->secret_file != NULL)) {
        conf_complain(at, inline_secret ? "secret" : NULL, 0,
                      "%s; expected one of secret and secret-file",
                      inline_secret ? "two secrets" : "the key has no secret");
    } else if (row->secret_file) {
        load_key_file(row, at);
    }
}

/* clang-format off */
#define KEY(member) CONF_FIELD(struct key_row, member)
static const struct conf_directive keys_directives[] = {
    {"name", CONF_STRING, KEY(name), NULL, "1", "64", CONF_REQUIRED | CONF_RELOAD,
     "Name of the key, a domain name, the same on both sides."},
    {"algorithm", CONF_ENUM(tsig_words), KEY(algorithm), "hmac-sha256", NULL, NULL, CONF_RELOAD,
     "Algorithm, the same on both sides."},
    {"secret", CONF_CUSTOM(key_secret), KEY(secret), NULL, NULL, NULL, CONF_RELOAD | CONF_SECRET,
     "Shared secret; never printed. Protect the file."},
    {"secret-file", CONF_PATH, KEY(secret_file), NULL, NULL, NULL, CONF_RELOAD,
     "File with the secret instead, alone or as written by tsig-keygen."},
    {0},
};
const struct conf_table keys_table = {
    .rows = keys_directives, .size = sizeof(struct key_row), .finish = check_key};

/* ---- what updates may set ---- */

#define UPDATE(member) CONF_FIELD(struct update_row, member)
static const struct conf_directive update_directives[] = {
    {"keys", CONF_STRING, CONF_LIST(struct update_row, keys, key_count),
     NULL, "1", "64", CONF_REQUIRED | CONF_RELOAD, "Keys that may update."},
    {"types", CONF_ENUM(update_type_words), CONF_LIST(struct update_row, types, type_count),
     "[A, AAAA]", NULL, NULL, CONF_RELOAD, "Record types that may be set."},
    {"max-records", CONF_INT, UPDATE(max_records), "8", "1", "64", CONF_RELOAD,
     "Records per name; an update that would leave more is refused."},
    {"max-ttl", CONF_SEC, UPDATE(max_ttl), "1h", "0", "7d", CONF_RELOAD,
     "Longer TTLs are shortened to this."},
    {0},
};
const struct conf_table update_table = {
    .rows = update_directives, .size = sizeof(struct update_row)};
/* clang-format on */
