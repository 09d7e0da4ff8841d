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

struct world {
    const char *root;      /* prefix of absolute paths, or "" */
    char folder[PATH_MAX]; /* folder of squid.conf, for relative paths */
    const char *lists;     /* folder where lists are written, or NULL */
    size_t files;
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
static void locate(const struct world *world, const char *path, struct buf *out)
{
    if (path[0] == '/') {
        buf_printf(out, "%s%s", world->root, path);
    } else {
        buf_printf(out, "%s/%s", world->folder, path);
    }
    buf_append(out, SPAN("\0"));
}

static int read_named(void *arg, const char *path, struct buf *out)
{
    struct world *world = arg;
    struct buf place = BUF_INIT;

    if (world->files++ == FILES_MAX) {
        return ERR_TOO_LARGE;
    }
    locate(world, path, &place);
    int err = read_file(place.data, out);
    buf_fini(&place);
    return err;
}

static void match(void *arg, const char *pattern, struct buf *out)
{
    const struct world *world = arg;
    struct buf place = BUF_INIT;
    size_t front = pattern[0] == '/' ? strlen(world->root) : strlen(world->folder) + 1;
    glob_t found = {0};

    locate(world, pattern, &place);
    if (glob(place.data, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            buf_append(out, span_str(found.gl_pathv[i] + front));
            buf_append(out, SPAN("\0"));
        }
    }
    globfree(&found);
    buf_fini(&place);
}

/* Writes the list "bad sites" to LISTS/bad_sites.hosts. */
static int keep(void *arg, const char *name, struct span text, struct buf *path)
{
    const struct world *world = arg;
    size_t begin = buf_len(path);

    buf_printf(path, "%s/", world->lists);
    for (; *name; name++) {
        bool plain = (ascii_lower(*name) >= 'a' && ascii_lower(*name) <= 'z') ||
                     ascii_is_digit(*name) || strchr("-_", *name);
        buf_append(path, span_of(plain ? name : "_", 1));
    }
    buf_append(path, SPAN(".hosts\0"));
    FILE *file = fopen(path->data + path->start + begin, "we");
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

static size_t import(struct world *world, const char *path, struct span text)
{
    struct buf yaml = BUF_INIT, notes = BUF_INIT;
    const char *slash = strrchr(path, '/');
    struct squid_io io = {
        .arg = world, .read = read_named, .match = match, .keep = world->lists ? keep : NULL};

    snprintf(world->folder, sizeof(world->folder), "%.*s", slash ? (int)(slash - path) : 1,
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
    struct world world = {.root = options->root ? options->root : ""};
    struct buf text = BUF_INIT;
    char lists[PATH_MAX];

    if (options->lists && !make_lists(options->lists, lists)) {
        return CTL_USAGE;
    }
    world.lists = options->lists ? lists : NULL;
    int err = read_file(options->operand, &text);
    if (err) {
        fprintf(stderr, "larderctl: %s cannot be read: %s\n", options->operand, err_text(err));
    }
    size_t lost = err ? 0 : import(&world, options->operand, buf_span(&text));
    buf_fini(&text);
    return err ? CTL_USAGE : lost ? CTL_BAD : CTL_GOOD;
}
