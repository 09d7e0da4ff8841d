#include "proxy/mirror/mirror.h"

#include "base/check.h"

enum { DIGEST_HEX = 64 };

#define MINUTE INT64_C(60)
#define DAY INT64_C(86400)
#define YEAR (365 * DAY)

/* ---- what is known ---- */

/* clang-format off */
static const struct mirror_class relayed       = {MIRROR_RELAY, {0}};
static const struct mirror_class checked       = {MIRROR_CHECKED, {.validate = true}};
static const struct mirror_class document_1min = {MIRROR_DOCUMENT, {.at_most = MINUTE, .if_silent = MINUTE}};
static const struct mirror_class document_5min = {MIRROR_DOCUMENT, {.at_most = 5 * MINUTE, .if_silent = 5 * MINUTE}};
static const struct mirror_class document_10min = {MIRROR_DOCUMENT, {.at_most = 10 * MINUTE, .if_silent = 10 * MINUTE}};
static const struct mirror_class file_week     = {MIRROR_FILE, {.at_least = 7 * DAY, .only_success = true}};
static const struct mirror_class file_year     = {MIRROR_FILE, {.at_least = YEAR, .only_success = true}};
static const struct mirror_class digest_year   = {MIRROR_DIGEST, {.at_least = YEAR, .only_success = true}};
/* clang-format on */

static bool has(struct span text, struct span part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (memcmp(text.at + i, part.at, part.len) == 0) {
            return true;
        }
    }
    return false;
}

static bool ends_with_any(struct span text, const char *const *ends, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_ends(text, span_str(ends[i]))) {
            return true;
        }
    }
    return false;
}

static const struct mirror_class *class_of_apt(struct span rest)
{
    static const char *const packages[] = {".deb",    ".udeb",    ".ddeb",    ".dsc",     ".tar.gz",
                                           ".tar.xz", ".tar.bz2", ".tar.zst", ".diff.gz", ".asc"};

    if (has(rest, SPAN("/by-hash/"))) {
        return &file_year;
    }
    bool package = has(rest, SPAN("pool/")) && ends_with_any(rest, packages, ARRAY_LEN(packages));
    return package ? &file_week : &checked;
}

static const struct mirror_class *class_of_npm(struct span rest)
{
    if (has(rest, SPAN("/-/")) && span_ends(rest, SPAN(".tgz"))) {
        return &file_year;
    }
    return span_starts(rest, SPAN("-/")) ? &relayed : &document_5min;
}

static const struct mirror_class *class_of_pip(struct span rest)
{
    static const char *const files[] = {".whl", ".tar.gz", ".tar.bz2",  ".zip",
                                        ".egg", ".tar.xz", ".metadata", ".asc"};

    return ends_with_any(rest, files, ARRAY_LEN(files)) ? &file_year : &document_10min;
}

struct span mirror_digest(struct span path)
{
    struct span hex = span_skip(path, path.len > DIGEST_HEX ? path.len - DIGEST_HEX : path.len);
    struct span before = span_take(path, path.len - hex.len);

    for (size_t i = 0; i < hex.len; i++) {
        char c = hex.at[i];
        if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f')) {
            return SPAN_EMPTY;
        }
    }
    bool named =
        span_ends(before, SPAN("/blobs/sha256:")) || span_ends(before, SPAN("/manifests/sha256:"));
    return named ? hex : SPAN_EMPTY;
}

struct span mirror_status(struct span cache_status, struct span mirror, struct arena *arena)
{
    return mirror.len ? arena_printf(arena, "%.*s; mirror=\"%.*s\"", SPAN_ARGS(cache_status),
                                     SPAN_ARGS(mirror))
                      : cache_status;
}

struct span mirror_repository(const struct uri *uri, struct arena *arena)
{
    static const char *const behind[] = {"/blobs/", "/manifests/", "/tags/"};
    struct uri repository = *uri;

    for (size_t i = 0; i < uri->path.len; i++) {
        for (size_t j = 0; j < ARRAY_LEN(behind); j++) {
            if (span_starts(span_skip(uri->path, i), span_str(behind[j]))) {
                repository.path = span_take(uri->path, i);
            }
        }
    }
    return uri_text(&repository, arena);
}

static const struct mirror_class *class_of_oci(struct span rest)
{
    if (mirror_digest(rest).len) {
        return &digest_year;
    }
    return has(rest, SPAN("/manifests/")) ? &document_1min : &relayed;
}

/* The path below that of the origin. */
static struct span below(const struct site *site, struct span path)
{
    return span_skip(path, site->origins[0].uri.path.len);
}

const struct mirror_class *mirror_class(const struct site *site, struct span path)
{
    const struct mirror *mirror = site->mirror;
    struct span rest = below(site, path);
    bool query = span_find(rest, '?') < rest.len;

    if (site == &mirror->files_site) {
        return &file_year;
    }
    switch (mirror->preset) {
    case PRESET_PLAIN:
        return &relayed;
    case PRESET_APT:
        return query ? &relayed : class_of_apt(rest);
    case PRESET_NPM:
        return query ? &relayed : class_of_npm(rest);
    case PRESET_PIP:
        return query ? &relayed : class_of_pip(rest);
    case PRESET_OCI:
        return query ? &relayed : class_of_oci(rest);
    }
    UNREACHABLE();
}

/* ---- where it goes ---- */

/* Length of the character `c`, literally or percent-encoded as `coded`; 0: it is another one. */
static size_t spelled(struct span text, char c, const char *coded)
{
    if (text.len && text.at[0] == c) {
        return 1;
    }
    return text.len >= 3 && span_ieq(span_take(text, 3), span_str(coded)) ? 3 : 0;
}

/* Length of a character that some servers treat as the end of a path segment: "/", "\\", and
 * ";". */
static size_t at_separator(struct span text)
{
    size_t slash = spelled(text, '/', "%2f"), back = spelled(text, '\\', "%5c");

    return slash ? slash : back ? back : spelled(text, ';', "%3b");
}

/* Is there a segment "." or "..", however it is written? At the origin it would lead elsewhere. */
static bool has_dots(struct span path)
{
    size_t dots = 0, others = 0, len;

    path = span_take(path, span_find(path, '?'));
    while (path.len) {
        if ((len = at_separator(path))) {
            if (others == 0 && (dots == 1 || dots == 2)) {
                return true;
            }
            dots = others = 0;
        } else if ((len = spelled(path, '.', "%2e"))) {
            dots++;
        } else {
            others += len = 1;
        }
        path = span_skip(path, len);
    }
    return others == 0 && (dots == 1 || dots == 2);
}

/* Hosts are written into documents, so they may have no special characters. */
static bool is_plain_host(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = ascii_lower(host.at[i]);
        if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && !memchr("-._:", c, 4)) {
            return false;
        }
    }
    return true;
}

static struct uri uri_below(const struct uri *base, struct span rest, struct arena *arena)
{
    struct uri uri = *base;

    uri.path = arena_printf(arena, "%.*s%.*s", SPAN_ARGS(base->path), SPAN_ARGS(rest));
    return uri;
}

/* The URL for the cache key. A blob is the same in every repository, and what is stored is public
 * (proxy/mirror/token.h). No request can contain "#" (http/uri.h), so what is under such a key was
 * verified. */
static struct uri key_of(const struct mirrored *mirrored, struct arena *arena)
{
    struct span path = mirrored->uri.path;
    bool blob = mirrored->mirror->preset == PRESET_OCI &&
                mirror_class(mirrored->site, path)->kind == MIRROR_DIGEST &&
                has(path, SPAN("/blobs/"));

    return blob ? uri_below(
                      &mirrored->mirror->origin_uri,
                      arena_printf(arena, "#blobs/sha256:%.*s", SPAN_ARGS(mirror_digest(path))),
                      arena)
                : mirrored->uri;
}

/* Removes the parameter by which containerd tells a mirror which registry it means ("ns", its
 * docs/hosts.md). Here the path says that, and with the parameter no URL would have a class. */
static struct span without_namespace(struct span rest, struct arena *arena)
{
    struct span path = span_cut(&rest, '?');
    struct span kept = path;

    while (rest.len) {
        struct span one = span_cut(&rest, '&');
        if (!span_starts(one, SPAN("ns="))) {
            kept = arena_printf(arena, "%.*s%c%.*s", SPAN_ARGS(kept),
                                kept.len == path.len ? '?' : '&', SPAN_ARGS(one));
        }
    }
    return kept;
}

static void go_below(const struct mirror *mirror, const struct uri *asked, struct arena *arena,
                     struct mirrored *out)
{
    struct span rest = span_skip(asked->path, mirror->path.len);
    bool files = mirror->files.len && span_starts(rest, SPAN(MIRROR_FILES));

    *out = (struct mirrored){.mirror = mirror, .asked = *asked, .site = &mirror->site};
    out->wrong = has_dots(rest) ? "\".\" and \"..\" lead nowhere in the path of a mirror."
                 : is_plain_host(asked->host)
                     ? NULL
                     : "The host is no name that could stand in the links of a mirror.";
    if (out->wrong) {
        out->uri = out->key = mirror->origin_uri;
        return;
    }
    if (mirror->preset == PRESET_OCI && span_find(rest, '?') < rest.len) {
        rest = without_namespace(rest, arena);
    }
    out->is_ping = mirror->preset == PRESET_OCI && rest.len == 0;
    if (files) {
        out->site = &mirror->files_site;
        rest = span_skip(rest, sizeof(MIRROR_FILES) - 1);
    }
    out->uri = uri_below(&out->site->origins[0].uri, rest, arena);
    out->key = key_of(out, arena);
}

/* Is it "is there a registry?", with which all registries below /v2/ are probed? */
static bool is_registry_ping(const struct mirror *mirror, struct span path)
{
    return mirror->preset == PRESET_OCI && span_eq(path, SPAN("/v2/"));
}

bool mirror_gives_way(const struct settings *settings, struct span host)
{
    const struct site *site = settings_site(settings, host);

    return site && site != settings_site(settings, SPAN("*"));
}

bool mirror_find(const struct settings *settings, const struct uri *asked, struct arena *arena,
                 struct mirrored *out)
{
    for (size_t i = 0; i < settings->mirror_count; i++) {
        const struct mirror *mirror = &settings->mirrors[i];
        if (!span_starts(asked->path, mirror->path) && !is_registry_ping(mirror, asked->path)) {
            continue;
        }
        if (mirror_gives_way(settings, asked->host)) {
            return false;
        }
        go_below(mirror, asked, arena, out);
        return true;
    }
    return false;
}

bool mirror_of_origin(const struct mirror *mirror, bool files, const struct uri *at,
                      struct arena *arena, struct mirrored *out)
{
    const struct uri *base = files ? &mirror->files_uri : &mirror->origin_uri;

    if ((files && mirror->files.len == 0) || !uri_same_origin(base, at) ||
        !span_starts(at->path, base->path)) {
        return false;
    }
    struct uri asked = *at;
    asked.path =
        arena_printf(arena, "%.*s%s%.*s", SPAN_ARGS(mirror->path), files ? MIRROR_FILES : "",
                     SPAN_ARGS(span_skip(at->path, base->path.len)));
    go_below(mirror, &asked, arena, out);
    return !out->wrong;
}

bool mirror_takes(const struct mirrored *mirrored, enum http_method method)
{
    const struct mirror *mirror = mirrored->mirror;
    struct span rest = below(mirrored->site, mirrored->uri.path);
    bool audit = mirror->preset == PRESET_NPM && method == METHOD_POST &&
                 mirrored->site == &mirror->site && span_starts(rest, SPAN("-/npm/v1/security/"));

    return method == METHOD_GET || method == METHOD_HEAD || audit;
}

/* ---- links ---- */

bool mirror_rewrites(const struct site *site, enum mirror_kind kind)
{
    enum mirror_preset preset = site->mirror->preset;

    return kind == MIRROR_DOCUMENT && (preset == PRESET_NPM || preset == PRESET_PIP);
}

static void add_link(struct rewrite_links *links, struct span from, struct span to)
{
    CHECK(links->count < REWRITE_LINKS_MAX);
    links->at[links->count++] = (struct rewrite_link){from, to};
}

/* Adds links with either scheme, and without one. */
static void add_place(struct rewrite_links *links, const struct uri *place, struct span to,
                      struct arena *arena)
{
    struct span bare = uri_display(place, arena);

    bare = span_skip(bare, span_find(bare, ':') + 1);
    add_link(links, bare, to);
    add_link(links, arena_printf(arena, "https:%.*s", SPAN_ARGS(bare)), to);
    add_link(links, arena_printf(arena, "http:%.*s", SPAN_ARGS(bare)), to);
}

void mirror_links(const struct mirrored *mirrored, struct arena *arena, struct rewrite_links *out)
{
    const struct mirror *mirror = mirrored->mirror;
    struct uri own = mirrored->asked;

    own.path = mirror->path;
    struct span to = mirror->url.len ? mirror->url : uri_display(&own, arena);
    *out = (struct rewrite_links){0};
    add_place(out, &mirror->origin_uri, to, arena);
    if (mirror->files.len) {
        struct span files = arena_printf(arena, "%.*s" MIRROR_FILES, SPAN_ARGS(to));
        add_place(out, &mirror->files_uri, files, arena);
    }
    add_link(out, SPAN("//"), SPAN("//")); /* a host without a path */
    add_link(out, mirror->origin_uri.path, to);
}
