#include "ctl/configured.h"

#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const char file[] = "/tmp/larder-configured-XXXXXX";

/* What a file with this text comes to. The words are in the sentence. */
static int load(const char *yaml, struct settings **settings, const char *words)
{
    struct buf why = BUF_INIT;
    char path[sizeof(file)];

    memcpy(path, file, sizeof(file));
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml));
    close(fd);
    int err = configured_stores(path, settings, &why);
    buf_append(&why, SPAN("\0"));
    if (words) {
        cr_expect(strstr(why.data, words) && strstr(why.data, path), "%s", why.data);
    } else {
        cr_expect_str_empty(why.data);
    }
    cr_expect_eq(*settings != NULL, err == 0);
    buf_fini(&why);
    unlink(path);
    return err;
}

Test(configured, all_directories_are_named)
{
    struct settings *settings;

    cr_assert_eq(load("store: [/mnt/a, {path: /mnt/b, size: 2GiB}]\n", &settings, NULL), 0);
    cr_assert_eq(settings->store_count, 2);
    cr_expect_str_eq(settings->stores[0].path, "/mnt/a");
    cr_expect_str_eq(settings->stores[1].path, "/mnt/b");
    settings_unref(&settings);
}

Test(configured, one_beside_the_file)
{
    struct settings *settings;

    cr_assert_eq(load("store: {path: here}\n", &settings, NULL), 0);
    cr_assert_eq(settings->store_count, 1);
    cr_expect_str_eq(settings->stores[0].path, "/tmp/here");
    settings_unref(&settings);
}

Test(configured, what_is_wrong_is_said)
{
    static const struct {
        const char *yaml;
        int err;
        const char *words;
    } cases[] = {
        {"memory: 64MiB\n", ERR_NOT_FOUND, "names no store"},
        {"", ERR_CONFIG, "nothing in this file"},
        {"stroe: /mnt/a\n", ERR_CONFIG, "did you mean \"store\""},
        {"stroe: /mnt/a\n", ERR_CONFIG, "has errors"},
    };
    struct settings *settings;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(load(cases[i].yaml, &settings, cases[i].words), cases[i].err, "%s",
                     cases[i].yaml);
    }
}

Test(configured, what_cannot_be_read_is_said)
{
    static const struct {
        const char *path;
        int err;
        const char *words;
    } cases[] = {
        {"/nowhere/proxy.yaml", -ENOENT, "/nowhere/proxy.yaml cannot be read: No such file"},
        {"/tmp", -EISDIR, "/tmp cannot be read: "},
        {"/tmp/evil\033[2J", -ENOENT, "cannot be read: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings *settings;
        struct buf why = BUF_INIT;
        cr_expect_eq(configured_stores(cases[i].path, &settings, &why), cases[i].err);
        buf_append(&why, SPAN("\0"));
        cr_expect(strstr(why.data, cases[i].words), "%s", why.data);
        cr_expect_null(strchr(why.data, '\033'), "nothing steers the terminal");
        cr_expect_null(settings);
        buf_fini(&why);
    }
}
