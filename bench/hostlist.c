/*
 * hostlist - a list of hosts by itself: how long it takes to load, what it holds in memory, and how
 * long a look takes. bench-hostlist [NAMES (1000000)]
 */
#include "base/buf.h"
#include "base/mem.h"
#include "http/hostlist.h"

#include <stdio.h>
#include <time.h>

enum { LOOKS = 4000000, HOSTS_MAX = 65536, HOST_ROOM = 64 };

/* Of this process: others do not count. */
static uint64_t cpu_us(void)
{
    return (uint64_t)clock() * (1000000 / CLOCKS_PER_SEC);
}

static void complain(void *arg, size_t line, struct span text, const char *what)
{
    printf("line %zu: %s\n", line, what);
}

static void make_text(struct buf *text, size_t names)
{
    for (size_t i = 0; i < names; i++) {
        buf_printf(text, "%sads-%zx.net-%zu.example\n", i % 3 ? "" : "0.0.0.0 ", i * 2654435761u,
                   i % 4999);
    }
}

static void look(const struct hostlist *list, const char *what, const char *front, size_t names,
                 size_t count)
{
    char(*hosts)[HOST_ROOM] = xmalloc(count * sizeof(*hosts));
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        size_t n = i * 40503 % names;
        snprintf(hosts[i], HOST_ROOM, "%s-%zx.net-%zu.example", front, n * 2654435761u, n % 4999);
    }
    uint64_t begin = cpu_us();
    for (size_t i = 0; i < LOOKS; i++) {
        found += hostlist_has(list, span_str(hosts[i % count]));
    }
    uint64_t us = cpu_us() - begin;
    printf("%-36s %6.1f ns, %zu of %d found\n", what, (double)us * 1000 / LOOKS, found, LOOKS);
    free(hosts);
}

int main(int argc, char **argv)
{
    struct sip_key key = sip_key_random();
    struct hostlist *list = hostlist_new(&key);
    struct buf text = BUF_INIT;
    uint64_t names = 1000000;

    if (argc > 1 && !span_to_u64(span_str(argv[1]), 100000000, &names)) {
        fprintf(stderr, "usage: %s [NAMES]\n", argv[0]);
        return 1;
    }
    make_text(&text, names);
    uint64_t begin = cpu_us();
    hostlist_add_lines(list, buf_span(&text), complain, NULL);
    hostlist_finish(list);
    uint64_t us = cpu_us() - begin;
    printf("%zu names, %.1f MiB of text: %.3f s, %.1f MiB of memory\n", hostlist_count(list),
           (double)buf_len(&text) / 1048576, (double)us / 1e6,
           (double)hostlist_bytes(list) / 1048576);
    buf_fini(&text);
    look(list, "a name of the list", "ads", names, HOSTS_MAX);
    look(list, "two labels below one", "a.b.ads", names, HOSTS_MAX);
    look(list, "another name", "www", names, HOSTS_MAX);
    look(list, "one of 256 names of the list", "ads", names, 256);
    look(list, "one of 256 other names", "www", names, 256);
    hostlist_unref(&list);
    return 0;
}
