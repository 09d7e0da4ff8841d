/* A list of hosts: every line that is taken is found under its name, whatever else is there. */
#include "base/check.h"
#include "http/hostlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *arg, size_t line, struct span text, const char *what)
{
    size_t *last = arg;

    CHECK(what != NULL && line > *last);
    *last = line;
}

/* A word that the list takes must be found in it; in lower case, as hosts are. */
static void find_word(struct hostlist *list, const struct sip_key *key, struct span word)
{
    struct hostlist *one = hostlist_new(key);
    const char *what = NULL;
    char host[256];
    bool only_below = span_starts(word, SPAN("*."));

    if (word.len < sizeof(host) - 2 && hostlist_add(one, word, &what) == 0) {
        bool front = span_starts(word, SPAN("=")) || span_starts(word, SPAN("."));
        struct span name = span_skip(word, only_below ? 2 : front ? 1 : 0);
        if (span_starts(name, SPAN("["))) {
            name = span_of(name.at + 1, name.len - 2);
        }
        size_t start = only_below ? 2 : 0;
        memcpy(host, "x.", 2);
        for (size_t i = 0; i < name.len; i++) {
            host[start + i] = ascii_lower(name.at[i]);
        }
        CHECK(hostlist_has(one, span_of(host, start + name.len)));
        CHECK(hostlist_count(one) == 1);
    } else {
        CHECK(hostlist_count(one) == 0);
    }
    hostlist_has(list, word);
    hostlist_unref(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sip_key key = {3, 4};
    struct span text = span_of(data, size);
    struct hostlist *list = hostlist_new(&key);
    size_t last = 0;

    hostlist_add_lines(list, text, ignore, &last);
    hostlist_finish(list);
    CHECK(hostlist_count(list) <= size);
    while (text.len) {
        find_word(list, &key, span_cut(&text, '\n'));
    }
    hostlist_unref(&list);
    return 0;
}
