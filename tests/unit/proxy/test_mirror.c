#include "proxy/mirror/mirror.h"

#include "base/err.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static struct settings *load(const char *yaml, struct buf *errors)
{
    char path[] = "/tmp/larder-test-XXXXXX", name[] = "larder-proxy", option[] = "--config";
    char *argv[] = {name, option, path};
    struct settings *settings = NULL;
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    settings_load(3, argv, errors, &settings);
    buf_append(errors, SPAN("\0"));
    unlink(path);
    return settings;
}

#define MIRRORS                                                                                    \
    "sites:\n"                                                                                     \
    "  - {hosts: [site.test], origins: 'http://192.0.2.1'}\n"                                      \
    "  - {hosts: ['*'], origins: 'http://192.0.2.1'}\n"                                            \
    "mirrors:\n"                                                                                   \
    "  - {path: /plain/, origin: 'http://plain.test'}\n"                                           \
    "  - {path: /debian/, origin: 'http://deb.test/debian', preset: apt}\n"                        \
    "  - {path: /npm/, origin: 'https://npm.test/', preset: npm}\n"                                \
    "  - {path: /pip/, origin: 'https://pypi.org/', preset: pip}\n"                                \
    "  - {path: /v2/hub/, origin: 'https://hub.test/v2/', preset: oci}\n"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(mirror_find, paths_and_hosts)
{
    static const struct {
        const char *url, *at, *key;
    } cases[] = {
        {"http://a/plain/x?y=1", "http://plain.test/x?y=1", NULL},
        {"http://a/plain/", "http://plain.test/", NULL},
        {"http://a/debian/dists/x", "http://deb.test/debian/dists/x", NULL},
        {"http://a/npm/@s%2fp", "https://npm.test/@s%2fp", NULL},
        {"http://a/pip/simple/x/", "https://pypi.org/simple/x/", NULL},
        {"http://a/pip/_files/x/y.whl", "https://files.pythonhosted.org/x/y.whl", NULL},
        {"http://a/v2/hub/a/b/blobs/sha256:" HEX, "https://hub.test/v2/a/b/blobs/sha256:" HEX,
         "https://hub.test/v2/#blobs/sha256:" HEX},
        {"http://a/v2/hub/_blobs/sha256:" HEX, "https://hub.test/v2/_blobs/sha256:" HEX, NULL},
        {"http://a/v2/hub/%23blobs/sha256:" HEX, "https://hub.test/v2/%23blobs/sha256:" HEX, NULL},
        {"http://a/v2/hub/a/manifests/sha256:" HEX, "https://hub.test/v2/a/manifests/sha256:" HEX,
         NULL},
        /* whose images containerd thinks they are */
        {"http://a/v2/hub/a/manifests/1?ns=docker.io", "https://hub.test/v2/a/manifests/1", NULL},
        {"http://a/v2/hub/a/blobs/sha256:" HEX "?ns=docker.io",
         "https://hub.test/v2/a/blobs/sha256:" HEX, "https://hub.test/v2/#blobs/sha256:" HEX},
        {"http://a/v2/hub/a/tags/list?n=2&ns=docker.io&last=x",
         "https://hub.test/v2/a/tags/list?n=2&last=x", NULL},
        {"http://a/v2/hub/a/tags/list?ns=docker.io&n=2&&last=ns=",
         "https://hub.test/v2/a/tags/list?n=2&&last=ns=", NULL},
        {"http://a/plain/x?ns=y", "http://plain.test/x?ns=y", NULL},
        /* of sites, of nobody */
        {"http://site.test/plain/x", NULL, NULL},
        {"http://a/plain", NULL, NULL},
        {"http://a/plainer/", NULL, NULL},
        {"http://a/", NULL, NULL},
    };
    struct buf errors = BUF_INIT;
    struct settings *settings = load(MIRRORS, &errors);
    struct arena arena;

    cr_assert(settings, "%s", errors.data);
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mirrored out;
        struct uri uri;
        cr_assert_eq(uri_parse(span_str(cases[i].url), &arena, &uri), 0);
        bool found = mirror_find(settings, &uri, &arena, &out);
        cr_assert_eq(found, cases[i].at != NULL, "%s", cases[i].url);
        if (!found) {
            continue;
        }
        struct span key = span_str(cases[i].key ? cases[i].key : cases[i].at);
        cr_expect_eq(out.wrong, NULL, "%s", cases[i].url);
        cr_expect(span_eq(uri_display(&out.uri, &arena), span_str(cases[i].at)), "%s",
                  cases[i].url);
        cr_expect(span_eq(uri_display(&out.key, &arena), key), "%s", cases[i].url);
        cr_expect_eq(out.site->mirror, out.mirror);
    }
    arena_fini(&arena);
    settings_unref(&settings);
    buf_fini(&errors);
}

Test(mirror_find, dots_lead_nowhere)
{
    static const struct {
        const char *path;
        bool wrong;
    } cases[] = {
        {"http://a/plain/../x", true},       {"http://a/plain/x/..", true},
        {"http://a/plain/%2e%2E/x", true},   {"http://a/plain/.%2e", true},
        {"http://a/plain/./x", true},        {"http://a/plain/.../x", false},
        {"http://a/plain/..x/y..", false},   {"http://a/plain/x?/../", false},
        {"http://a/plain/%2ehidden", false}, {"http://a/plain/x%2f..%2Fy", true},
        {"http://a/plain/x\\..\\y", true},   {"http://a/plain/x%5C%2e.%5cy", true},
        {"http://a/plain/..;a=b/x", true},   {"http://a/plain/x/..%3b/y", true},
        {"http://a/plain/.;/x", true},       {"http://a/plain/@a%2fb", false},
        {"http://a/plain/@a%2f..b", false},  {"http://a/plain/x;..=y", false},
        {"http://a/plain/%2f%2f/", false},   {"http://a/plain/x%2", false},
        {"http://a/plain/..%", false},
    };
    struct buf errors = BUF_INIT;
    struct settings *settings = load(MIRRORS, &errors);
    struct arena arena;

    cr_assert(settings, "%s", errors.data);
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mirrored out;
        struct uri uri;
        cr_assert_eq(uri_parse(span_str(cases[i].path), &arena, &uri), 0);
        cr_assert(mirror_find(settings, &uri, &arena, &out), "%s", cases[i].path);
        cr_expect_eq(out.wrong != NULL, cases[i].wrong, "%s", cases[i].path);
    }
    arena_fini(&arena);
    settings_unref(&settings);
    buf_fini(&errors);
}

Test(mirror_class, what_stays_how_long)
{
    static const struct {
        const char *path;
        enum mirror_kind kind;
        int64_t least, most;
    } cases[] = {
        {"/plain/a.deb", MIRROR_RELAY, 0, 0},
        {"/debian/dists/x/InRelease", MIRROR_CHECKED, 0, 0},
        {"/debian/dists/x/main/binary-amd64/Packages.xz", MIRROR_CHECKED, 0, 0},
        {"/debian/dists/x/main/by-hash/SHA256/" HEX, MIRROR_FILE, 31536000, 0},
        {"/debian/pool/main/h/hello/hello_1_amd64.deb", MIRROR_FILE, 604800, 0},
        {"/debian/pool/main/h/", MIRROR_CHECKED, 0, 0},
        {"/debian/README.deb", MIRROR_CHECKED, 0, 0},
        {"/npm/left-pad", MIRROR_DOCUMENT, 0, 300},
        {"/npm/@types%2fnode", MIRROR_DOCUMENT, 0, 300},
        {"/npm/@types/node/-/node-1.tgz", MIRROR_FILE, 31536000, 0},
        {"/npm/-/v1/search?text=x", MIRROR_RELAY, 0, 0},
        {"/npm/left-pad?write=true", MIRROR_RELAY, 0, 0},
        {"/pip/simple/x/", MIRROR_DOCUMENT, 0, 600},
        {"/pip/packages/x.whl", MIRROR_FILE, 31536000, 0},
        {"/pip/packages/x.whl.metadata", MIRROR_FILE, 31536000, 0},
        {"/pip/_files/whatever", MIRROR_FILE, 31536000, 0},
        {"/v2/hub/a/manifests/latest", MIRROR_DOCUMENT, 0, 60},
        {"/v2/hub/a/manifests/sha256:" HEX, MIRROR_DIGEST, 31536000, 0},
        {"/v2/hub/a/blobs/sha256:" HEX, MIRROR_DIGEST, 31536000, 0},
        {"/v2/hub/a/blobs/sha256:" HEX "0", MIRROR_RELAY, 0, 0},
        {"/v2/hub/a/blobs/sha256:" HEX "?x", MIRROR_RELAY, 0, 0},
        {"/v2/hub/a/tags/list", MIRROR_RELAY, 0, 0},
    };
    struct buf errors = BUF_INIT;
    struct settings *settings = load(MIRRORS, &errors);
    struct arena arena;

    cr_assert(settings, "%s", errors.data);
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uri uri = {.host = SPAN("a"), .path = span_str(cases[i].path)};
        struct mirrored out;
        cr_assert(mirror_find(settings, &uri, &arena, &out), "%s", cases[i].path);
        const struct mirror_class *class = mirror_class(out.site, out.uri.path);
        cr_expect_eq(class->kind, cases[i].kind, "%s", cases[i].path);
        cr_expect_eq(class->known.at_least, cases[i].least, "%s", cases[i].path);
        cr_expect_eq(class->known.at_most, cases[i].most, "%s", cases[i].path);
    }
    arena_fini(&arena);
    settings_unref(&settings);
    buf_fini(&errors);
}

Test(mirror_takes, audits_go_on_and_nothing_else_changes_things)
{
    static const struct {
        const char *path;
        enum http_method method;
        bool takes;
    } cases[] = {
        {"/npm/x", METHOD_GET, true},
        {"/npm/x", METHOD_HEAD, true},
        {"/npm/x", METHOD_PUT, false},
        {"/npm/-/npm/v1/security/advisories/bulk", METHOD_POST, true},
        {"/npm/-/npm/v1/security/advisories/bulk", METHOD_PUT, false},
        {"/npm/-/v1/login", METHOD_POST, false},
        {"/plain/-/npm/v1/security/advisories/bulk", METHOD_POST, false},
        {"/v2/hub/a/blobs/uploads/", METHOD_POST, false},
    };
    struct buf errors = BUF_INIT;
    struct settings *settings = load(MIRRORS, &errors);
    struct arena arena;

    cr_assert(settings, "%s", errors.data);
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uri uri = {.host = SPAN("a"), .path = span_str(cases[i].path)};
        struct mirrored out;
        cr_assert(mirror_find(settings, &uri, &arena, &out));
        cr_expect_eq(mirror_takes(&out, cases[i].method), cases[i].takes, "%s", cases[i].path);
    }
    arena_fini(&arena);
    settings_unref(&settings);
    buf_fini(&errors);
}

Test(mirror_settings, what_is_wrong_is_said)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"{path: /a/, origin: 'http://x', preset: nmp}", "did you mean \"npm\""},
        {"{path: /a, origin: 'http://x'}", "it does not end with a slash"},
        {"{path: a/, origin: 'http://x'}", "expected a path such as /npm/"},
        {"{path: /, origin: 'http://x'}", "expected a path such as /npm/"},
        {"{path: /a//, origin: 'http://x'}", "a part of it is not a plain name"},
        {"{path: /../, origin: 'http://x'}", "a part of it is not a plain name"},
        {"{path: '/a b/', origin: 'http://x'}", "a part of it is not a plain name"},
        {"{path: /a/, origin: 'ftp://x/'}", "expected a URL such as"},
        {"{path: /a/, origin: 'https://u:p@x/'}", "expected a URL such as"},
        {"{path: /a/, origin: 'http://x/?q'}", "it has a query"},
        {"{path: /a/}", "origin"},
        {"{path: /a/, origin: 'http://x', preset: oci}", "not a path where clients look"},
        {"{path: /a/, origin: 'http://x', files: 'http://y'}", "changes no links"},
        {"[{path: /a/, origin: 'http://x'}, {path: /a/, origin: 'http://y'}]", "is listed twice"},
        {"[{path: /a/, origin: 'http://x'}, {path: /a/b/, origin: 'http://y'}]",
         "one of \"/a/\" and \"/a/b/\" lies inside the other"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf errors = BUF_INIT;
        char yaml[256];
        snprintf(yaml, sizeof(yaml), "mirrors: %s\n", cases[i].yaml);
        struct settings *settings = load(yaml, &errors);
        cr_expect_eq(settings, NULL, "%s", cases[i].yaml);
        cr_expect(strstr(errors.data, cases[i].says), "%s: %s", cases[i].yaml, errors.data);
        settings_unref(&settings);
        buf_fini(&errors);
    }
}
