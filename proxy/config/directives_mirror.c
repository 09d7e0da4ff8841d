/* Mirrors: origins under paths of our own. */
#include "proxy/config/directives_table.h"

#include "base/err.h"

#include <ctype.h>

#define FIELD(member) CONF_FIELD(struct mirror, member)

enum { MIRROR_PATH_MAX = 64, MIRROR_PLACE_MAX = 512 };

static bool is_plain_segment(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!isalnum((unsigned char)text.at[i]) && !memchr("-_.~", text.at[i], 4)) {
            return false;
        }
    }
    return text.len > 0 && !span_eq(text, SPAN(".")) && !span_eq(text, SPAN(".."));
}

/* Parses "/npm/" or "/v2/", which are compared byte by byte, and copied into links. */
static int parse_path(struct span text, struct arena *arena, void *out, const char **what)
{
    struct span path = arena_copy(arena, text);
    struct span rest = span_skip(text, 1);

    if (text.len < 2 || text.len > MIRROR_PATH_MAX || text.at[0] != '/') {
        return ERR_SYNTAX;
    }
    if (!span_ends(text, SPAN("/"))) {
        *what = "it does not end with a slash";
        return ERR_SYNTAX;
    }
    while (rest.len) {
        if (!is_plain_segment(span_cut(&rest, '/'))) {
            *what = "a part of it is not a plain name";
            return ERR_SYNTAX;
        }
    }
    memcpy(out, &path, sizeof(path));
    return 0;
}

static const struct conf_custom path_type = {
    .expected = "a path such as /npm/",
    .size = sizeof(struct span),
    .parse = parse_path,
};

/* The URL of an origin; its path may have several parts. */
static int parse_place(struct span text, struct arena *arena, void *out, const char **what)
{
    struct uri uri;

    if (text.len > MIRROR_PLACE_MAX) {
        *what = "it is too long";
        return ERR_SYNTAX;
    }
    if (uri_parse(arena_copy(arena, text), arena, &uri) != 0) {
        return ERR_SYNTAX;
    }
    if (span_find(uri.path, '?') < uri.path.len) {
        *what = "it has a query";
        return ERR_SYNTAX;
    }
    bool ends = span_ends(uri.path, SPAN("/"));
    struct span shown = uri_display(&uri, arena);
    struct span place = arena_printf(arena, "%.*s%s", SPAN_ARGS(shown), ends ? "" : "/");
    memcpy(out, &place, sizeof(place));
    return 0;
}

static const struct conf_custom place_type = {
    .expected = "a URL such as https://registry.example.net/",
    .size = sizeof(struct span),
    .parse = parse_place,
};

static const char *const preset_words[] = {"plain", "apt", "npm", "pip", "oci", NULL};

static const struct uri *uri_of(struct span place, struct arena *arena, struct uri *out)
{
    CHECK(uri_parse(place, arena, out) == 0); /* parse_place() has checked it */
    return out;
}

static void make_site(struct mirror *mirror, struct site *site, const struct uri *uri,
                      struct arena *arena)
{
    site->mirror = mirror;
    site->hosts = mirror->name;
    site->host_count = 1;
    site->origins = arena_alloc(arena, sizeof(*site->origins));
    site->origins[0].uri = *uri;
    site->origin_count = 1;
    site->ca = mirror->ca;
    site->verify = mirror->verify;
}

/* Where an index keeps its files on another host by default: pypi.org does. */
static struct span usual_files(const struct mirror *mirror)
{
    return mirror->preset == PRESET_PIP && span_eq(mirror->origin_uri.host, SPAN("pypi.org"))
               ? SPAN("https://files.pythonhosted.org/")
               : SPAN_EMPTY;
}

static void mirror_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct mirror *mirror = bound;
    bool rewrites = mirror->preset == PRESET_NPM || mirror->preset == PRESET_PIP;

    uri_of(mirror->origin, arena, &mirror->origin_uri);
    if (mirror->files.len && !rewrites) {
        conf_complain(at, "files", 0,
                      "the preset \"%s\" changes no links; expected it with npm or pip",
                      preset_words[mirror->preset]);
    } else if (mirror->files.len == 0) {
        mirror->files = usual_files(mirror);
    }
    if (mirror->files.len) {
        uri_of(mirror->files, arena, &mirror->files_uri);
    }
    if (mirror->preset == PRESET_OCI && !span_starts(mirror->path, SPAN("/v2/"))) {
        conf_complain(at, "path", 0,
                      "\"%.*s\" is not a path where clients look for a registry; expected /v2/, or "
                      "one below it such as /v2/hub/",
                      SPAN_ARGS(mirror->path));
    }
}

/* clang-format off */
static const struct conf_directive rows[] = {
    {"path", CONF_CUSTOM(path_type), FIELD(path), NULL, NULL, NULL, CONF_RELOAD | CONF_REQUIRED,
     "Path of the mirror on all listeners; also its name."},
    {"origin", CONF_CUSTOM(place_type), FIELD(origin), NULL, NULL, NULL,
     CONF_RELOAD | CONF_REQUIRED, "URL that the path stands for, http or https."},
    {"preset", CONF_ENUM(preset_words), FIELD(preset), "plain", NULL, NULL, CONF_RELOAD,
     "Kind of registry, which decides lifetimes and link rewriting: apt (Debian archives), "
     "npm, pip (Python indexes), oci (container registries), or plain for anything else."},
    {"files", CONF_CUSTOM(place_type), FIELD(files), NULL, NULL, NULL, CONF_RELOAD,
     "npm and pip: second host that links in its documents point to, served below _files/. "
     "Default: none, and https://files.pythonhosted.org/ for https://pypi.org/."},
    {"url", CONF_CUSTOM(place_type), FIELD(url), NULL, NULL, NULL, CONF_RELOAD,
     "URL of `path` as clients see it, for rewritten links. Default: taken from the Host of "
     "the request."},
    {"ca", CONF_PATH, FIELD(ca), NULL, NULL, NULL, CONF_RELOAD,
     "Trusted CAs for the origin and for redirects, PEM. Default: the system's."},
    {"verify", CONF_BOOL, FIELD(verify), "yes", NULL, NULL, CONF_RELOAD,
     "Verify the certificate of the origin; hosts it redirects to are always verified."},
    {0},
};
/* clang-format on */

const struct conf_table mirror_table = {
    .rows = rows, .size = sizeof(struct mirror), .finish = mirror_finish};

static void refuse_overlaps(const struct settings *settings, size_t i, const struct conf_at *at)
{
    struct span path = settings->mirrors[i].path;

    for (size_t j = 0; j < i; j++) {
        struct span other = settings->mirrors[j].path;
        if (other.len == 0) {
            continue; /* reported already */
        }
        if (span_eq(path, other)) {
            conf_complain(conf_at_map(at, "mirrors", i), "path", 0,
                          "\"%.*s\" is listed twice; expected different paths", SPAN_ARGS(path));
        } else if (span_starts(path, other) || span_starts(other, path)) {
            conf_complain(conf_at_map(at, "mirrors", i), "path", 0,
                          "one of \"%.*s\" and \"%.*s\" lies inside the other; expected paths "
                          "beside each other",
                          SPAN_ARGS(other), SPAN_ARGS(path));
        }
    }
}

/* Called when all mirrors are bound: only then are their addresses final. */
void mirrors_finish(struct settings *settings, struct arena *arena, const struct conf_at *at)
{
    for (size_t i = 0; i < settings->mirror_count; i++) {
        struct mirror *mirror = &settings->mirrors[i];
        if (mirror->path.len == 0) {
            continue;
        }
        refuse_overlaps(settings, i, at);
        mirror->name[0] = arena_alloc(arena, mirror->path.len + 1);
        memcpy(mirror->name[0], mirror->path.at, mirror->path.len);
        mirror->name[0][mirror->path.len] = '\0';
        mirror->zone = arena_printf(arena, "mirror:%s", mirror->name[0]);
        make_site(mirror, &mirror->site, &mirror->origin_uri, arena);
        make_site(mirror, &mirror->files_site, &mirror->files_uri, arena);
    }
}
