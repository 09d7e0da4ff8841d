/* larderctl import-squid: reads squid.conf, prints a file for larder-proxy, and lists what could
 * not be translated. */
#include "ctl/squid.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMPORT_MAX = 64 << 20, FILES_MAX = 1000 };

/* ---- files that squid.conf names ---- */

struct squid_files {
    const char *root;      /* prefix of absolute paths, or "" */
    char folder[PATH_MAX]; /* folder of squid.conf, for relative paths */
    const char *lists;     /* folder where lists are written, or NULL */
    struct buf written;    /* paths of lists, each ended by NUL */
    size_t count;          /* files that were read */
};

/* "-" means standard input. ERR_TOO_LARGE or -errno. */
static int read_file(const char *path, struct buf *out)
{
    bool is_input = strcmp(path, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;

    if (fd < 0) {
        return -errno;
    }
    while (n > 0 && buf_len(out) <= IMPORT_MAX) {
        n = read(fd, buf_reserve(out, 65536), 65536);
        buf_commit(out, n > 0 ? (size_t)n : 0);
    }
    int err = n < 0 ? -errno : buf_len(out) > IMPORT_MAX ? ERR_TOO_LARGE : 0;
    if (!is_input) {
        close(fd);
    }
    return err;
}

/* Translates a path of squid.conf to one that can be opened here. */
static void locate(const struct squid_files *files, const char *path, struct buf *out)
{
    if (path[0] == '/') {
        buf_printf(out, "%s%s", files->root, path);
    } else {
        buf_printf(out, "%s/%s", files->folder, path);
    }
    buf_append(out, SPAN("\0"));
}

static int read_named(void *arg, const char *path, struct buf *out)
{
    struct squid_files *files = arg;
    struct buf place = BUF_INIT;

    if (files->count++ == FILES_MAX) {
        return ERR_TOO_LARGE;
    }
    locate(files, path, &place);
    int err = read_file(place.data, out);
    buf_fini(&place);
    return err;
}

static void match(void *arg, const char *pattern, struct buf *out)
{
    const struct squid_files *files = arg;
    struct buf place = BUF_INIT;
    size_t front = pattern[0] == '/' ? strlen(files->root) : strlen(files->folder) + 1;
    glob_t found = {0};

    locate(files, pattern, &place);
    if (glob(place.data, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            buf_append(out, span_str(found.gl_pathv[i] + front));
            buf_append(out, SPAN("\0"));
        }
    }
    globfree(&found);
    buf_fini(&place);
}

/* The path of list `number` of an acl: LISTS/bad_sites.hosts, LISTS/bad_sites-2.hosts, … */
static void list_path(const struct squid_files *files, const char *name, unsigned number,
                      struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "%s/", files->lists);
    for (; *name; name++) {
        bool plain = (ascii_lower(*name) >= 'a' && ascii_lower(*name) <= 'z') ||
                     ascii_is_digit(*name) || strchr("-_", *name);
        buf_append(out, span_of(plain ? name : "_", 1));
    }
    if (number > 1) {
        buf_printf(out, "-%u", number);
    }
    buf_append(out, SPAN(".hosts\0"));
}

static bool was_written(const struct squid_files *files, struct span path)
{
    struct span rest = buf_span(&files->written);

    while (rest.len) {
        if (span_eq(span_cut(&rest, '\0'), span_take(path, path.len - 1))) {
            return true;
        }
    }
    return false;
}

/* Writes a list to a file that no other list of this squid.conf has: an acl may have several lists,
 * and the names of two may be the same but for special characters. */
static int keep(void *arg, const char *name, struct span text, struct buf *path)
{
    struct squid_files *files = arg;
    struct buf own = BUF_INIT;
    unsigned number = 1;

    list_path(files, name, number, &own);
    while (was_written(files, buf_span(&own))) {
        list_path(files, name, ++number, &own);
    }
    buf_append(&files->written, buf_span(&own));
    buf_append(path, buf_span(&own));
    FILE *file = fopen(own.data + own.start, "we");
    buf_fini(&own);
    if (!file) {
        return -errno;
    }
    bool good = fwrite(text.at, 1, text.len, file) == text.len;
    return fclose(file) == 0 && good ? 0 : ERR_IO;
}

/* ---- the verb ---- */

/* Creates the folder for lists and writes its absolute path. */
static bool make_lists(const char *lists, char out[PATH_MAX])
{
    if ((mkdir(lists, 0755) != 0 && errno != EEXIST) || !realpath(lists, out)) {
        fprintf(stderr, "larderctl: %s cannot be made: %s\n", lists, err_text(-errno));
        return false;
    }
    return true;
}

static size_t import(struct squid_files *files, const char *path, struct span text)
{
    struct buf yaml = BUF_INIT, notes = BUF_INIT;
    const char *slash = strrchr(path, '/');
    struct squid_io io = {
        .arg = files, .read = read_named, .match = match, .keep = files->lists ? keep : NULL};

    snprintf(files->folder, sizeof(files->folder), "%.*s", slash ? (int)(slash - path) : 1,
             slash ? path : ".");
    size_t lost = squid_import(slash ? slash + 1 : path, text, &io, &yaml, &notes);
    fwrite(yaml.data, 1, buf_len(&yaml), stdout);
    fwrite(notes.data ? notes.data : "", 1, buf_len(&notes), stderr);
    if (lost) {
        fprintf(stderr, "larderctl: %zu not translated\n", lost);
    }
    buf_fini(&yaml);
    buf_fini(&notes);
    return lost;
}

int verb_import(const struct ctl_options *options)
{
    struct squid_files files = {.root = options->root ? options->root : ""};
    struct buf text = BUF_INIT;
    char lists[PATH_MAX];

    if (options->lists && !make_lists(options->lists, lists)) {
        return CTL_USAGE;
    }
    files.lists = options->lists ? lists : NULL;
    int err = read_file(options->operand, &text);
    if (err) {
        fprintf(stderr, "larderctl: %s cannot be read: %s\n", options->operand, err_text(err));
    }
    size_t lost = err ? 0 : import(&files, options->operand, buf_span(&text));
    buf_fini(&files.written);
    buf_fini(&text);
    return err ? CTL_USAGE : lost ? CTL_BAD : CTL_GOOD;
}
