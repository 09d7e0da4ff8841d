#include "proxy/origin/hosts.h"

#include "base/arena.h"
#include "base/file_identity.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 16 << 20, LOOK_AGAIN_MS = 1000, ADDRESSES_MAX = 8, NAME_MAX_LEN = 253 };

/* A name and its addresses, in the order of the file. */
struct hosts_entry {
    struct map_link link;
    struct span name;
    size_t count;
    struct ip at[ADDRESSES_MAX];
};

struct hosts {
    char *path;
    struct sip_key key;
    struct arena memory; /* for entries and names */
    struct map names;
    uint64_t looked_ms;
    bool looked;
    struct file_identity seen; /* version of the file that was read; zeros: none */
};

struct hosts *hosts_new(const char *path)
{
    struct hosts *hosts = xcalloc(1, sizeof(*hosts));

    hosts->path = xspandup(span_str(path));
    hosts->key = sip_key_random();
    arena_init(&hosts->memory, NULL, 0);
    map_init(&hosts->names, 0);
    return hosts;
}

void hosts_free(struct hosts **hosts)
{
    if (*hosts == NULL) {
        return;
    }
    map_fini(&(*hosts)->names);
    arena_fini(&(*hosts)->memory);
    free((*hosts)->path);
    free(*hosts);
    *hosts = NULL;
}

static struct hosts_entry *find(const struct hosts *hosts, struct span name, uint64_t hash)
{
    struct map_link *link = map_first(&hosts->names, hash);

    for (; link; link = map_next(link)) {
        struct hosts_entry *entry = container_of(link, struct hosts_entry, link);
        if (span_eq(entry->name, name)) {
            return entry;
        }
    }
    return NULL;
}

static void add(struct hosts *hosts, struct span name, const struct ip *ip)
{
    char lower[NAME_MAX_LEN];

    if (name.len > sizeof(lower)) {
        return;
    }
    for (size_t i = 0; i < name.len; i++) {
        lower[i] = ascii_lower(name.at[i]);
    }
    name.at = lower;
    uint64_t hash = sip_hash64(&hosts->key, name);
    struct hosts_entry *entry = find(hosts, name, hash);
    if (entry == NULL) {
        entry = arena_zalloc(&hosts->memory, sizeof(*entry));
        entry->name = arena_copy(&hosts->memory, name);
        map_insert(&hosts->names, &entry->link, hash);
    }
    if (entry->count < ADDRESSES_MAX) {
        entry->at[entry->count++] = *ip;
    }
}

/* The next word of *line; empty at its end. */
static struct span word(struct span *line)
{
    *line = span_trim(*line);
    size_t n = 0;

    while (n < line->len && line->at[n] != ' ' && line->at[n] != '\t') {
        n++;
    }
    struct span taken = span_take(*line, n);
    *line = span_skip(*line, n);
    return taken;
}

static void parse_line(struct hosts *hosts, struct span line)
{
    struct ip ip;

    line = span_cut(&line, '#');
    line = span_cut(&line, '\r');
    if (ip_parse(word(&line), &ip) != 0) {
        return;
    }
    for (struct span name = word(&line); name.len > 0; name = word(&line)) {
        add(hosts, name, &ip);
    }
}

static void forget(struct hosts *hosts)
{
    map_fini(&hosts->names);
    map_init(&hosts->names, 0);
    arena_reset(&hosts->memory);
}

static void parse(struct hosts *hosts, struct span text)
{
    while (text.len > 0) {
        parse_line(hosts, span_cut(&text, '\n'));
    }
}

static size_t read_up_to(int fd, char *at, size_t room)
{
    size_t have = 0;

    while (have < room) {
        ssize_t n = read(fd, at + have, room - have);
        if (n <= 0) {
            break;
        }
        have += (size_t)n;
    }
    return have;
}

static void read_file(struct hosts *hosts, int fd, const struct stat *about)
{
    if (!S_ISREG(about->st_mode) || about->st_size > FILE_MAX) {
        return;
    }
    size_t size = (size_t)about->st_size;
    char *text = xmalloc(size);

    parse(hosts, span_of(text, read_up_to(fd, text, size)));
    free(text);
}

static void look(struct hosts *hosts)
{
    struct stat about = {0};
    int fd = open(hosts->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &about) != 0) {
        about = (struct stat){0};
    }
    struct file_identity now = file_identity_of(&about);
    if (!file_same(&now, &hosts->seen)) {
        forget(hosts);
        hosts->seen = now;
        read_file(hosts, fd, &about);
    }
    if (fd >= 0) {
        close(fd);
    }
}

size_t hosts_find(struct hosts *hosts, struct span name, uint64_t now_ms, struct ip *out,
                  size_t max)
{
    if (!hosts->looked || now_ms - hosts->looked_ms >= LOOK_AGAIN_MS) {
        hosts->looked = true;
        hosts->looked_ms = now_ms;
        look(hosts);
    }
    const struct hosts_entry *entry = find(hosts, name, sip_hash64(&hosts->key, name));
    size_t count = entry ? (entry->count < max ? entry->count : max) : 0;

    if (count > 0) {
        memcpy(out, entry->at, count * sizeof(*out));
    }
    return count;
}
