/*
 * replay - runs a fuzz target without a fuzzer: over each file of a corpus folder, then over
 * mutations of each. What the fuzzer once found stays found, and every plain build looks a little
 * beyond it. The seed is fixed: a failure can be repeated.
 */
#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MUTATIONS = 200, CHANGES_MAX = 4, PATH_ROOM = 4096 };

static uint64_t random_state = 0x9e3779b97f4a7c15;

/* xorshift64*: good enough to spoil bytes. */
static size_t random_below(size_t bound)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return bound ? (size_t)(random_state * 0x2545f4914f6cdd1d >> 33) % bound : 0;
}

/* The target gets a heap copy of just that size, so that ASan sees a read behind it. */
static void run(struct span input)
{
    uint8_t *copy = xmalloc(input.len);

    if (input.len) {
        memcpy(copy, input.at, input.len);
    }
    LLVMFuzzerTestOneInput(copy, input.len);
    free(copy);
}

/* Bytes on which grammars turn. */
static char telling_byte(void)
{
    static const char bytes[] = "\r\n\t \0,;:=\"\\/*-0159afAZ\x7f\x80\xff";

    return bytes[random_below(sizeof(bytes) - 1)];
}

static void change(char *text, size_t *len)
{
    size_t at = random_below(*len);
    size_t n = 1 + random_below(*len - at < 16 ? *len - at : 16);

    switch (random_below(4)) {
    case 0: /* another byte */
        text[at] = telling_byte();
        break;
    case 1: /* one bit */
        text[at] = (char)(text[at] ^ (1 << random_below(8)));
        break;
    case 2: /* without some bytes */
        memmove(text + at, text + at + n, *len - at - n);
        *len -= n;
        break;
    default: /* some bytes twice; there is room for it */
        memmove(text + at + n, text + at, *len - at);
        *len += n;
        break;
    }
}

static void run_mutations(struct span input)
{
    char *text = xmalloc(input.len + (size_t)CHANGES_MAX * 16);

    for (int i = 0; i < MUTATIONS && input.len; i++) {
        size_t len = input.len;
        memcpy(text, input.at, len);
        for (size_t n = 1 + random_below(CHANGES_MAX); n > 0 && len > 0; n--) {
            change(text, &len);
        }
        run(span_of(text, len));
    }
    free(text);
}

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    size_t n;

    CHECK(file != NULL);
    do {
        n = fread(buf_reserve(out, 4096), 1, 4096, file);
        buf_commit(out, n);
    } while (n > 0);
    CHECK(!ferror(file));
    fclose(file);
}

static void run_file(const char *path)
{
    struct buf bytes = BUF_INIT;

    read_file(path, &bytes);
    run(buf_span(&bytes));
    run_mutations(buf_span(&bytes));
    buf_fini(&bytes);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int count = argc == 2 ? scandir(argv[1], &entries, is_visible, alphasort) : -1;

    if (count < 1) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY (with at least one file)\n", argv[0]);
        return 1;
    }
    run(SPAN_EMPTY);
    for (int i = 0; i < count; i++) {
        char path[PATH_ROOM];
        snprintf(path, sizeof(path), "%s/%s", argv[1], entries[i]->d_name);
        run_file(path);
        free(entries[i]);
    }
    free(entries);
    printf("%d files, %d mutations of each\n", count, MUTATIONS);
    return 0;
}
