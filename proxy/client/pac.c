#include "proxy/client/pac.h"

#include <inttypes.h>

/* ---- which proxy clients should use ---- */

/* The host part of "host:port", if it is safe to insert into a script or a page. */
static bool plain_host(struct span text, struct span *host)
{
    struct uri uri;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    bool plain = uri_parse_authority(text, 80, &arena, &uri) == 0;
    size_t colon = text.len;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool word = ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
        plain = plain && (word || c == '.' || c == '-' || c == ':' || c == '[' || c == ']');
        colon = c == ':' ? i : colon;
    }
    if (text.len > 0 && text.at[text.len - 1] == ']') {
        colon = text.len;
    }
    *host = span_take(text, colon);
    arena_fini(&arena);
    return plain;
}

struct where {
    struct span name; /* NAME, ADDRESS or [ADDRESS] */
    uint16_t port;
    bool tls;
};

static const struct sockaddr *address_of(const struct listening *listening)
{
    return (const struct sockaddr *)&listening->at.address;
}

static bool is_loopback(const struct listening *listening)
{
    struct ip ip = ip_of_sockaddr(address_of(listening));

    return ip_is_loopback(&ip);
}

static bool names_loopback(struct span name)
{
    return span_ieq(name, SPAN("localhost")) || span_starts(name, SPAN("127.")) ||
           span_eq(name, SPAN("[::1]"));
}

/* The first of the best listeners: those reachable from the client, then those without TLS. */
static const struct listening *best_listener(const struct settings *settings, struct span name)
{
    const struct listening *best = NULL;
    int most = -1;

    for (size_t i = 0; i < settings->listen_count; i++) {
        const struct listening *one = &settings->listen[i];
        bool reached = names_loopback(name) || !is_loopback(one);
        int worth = (reached ? 2 : 0) + (one->is_tls ? 0 : 1);
        if (worth > most) {
            best = one;
            most = worth;
        }
    }
    return best;
}

/* This proxy, by the host name in the request. */
static struct where this_proxy(const struct settings *settings, struct span host)
{
    struct span name;

    if (!plain_host(host, &name) || name.len == 0) {
        name = SPAN("127.0.0.1");
    }
    const struct listening *best = best_listener(settings, name);
    return (struct where){name, port_of_sockaddr(address_of(best)), best->is_tls};
}

static struct where where_of(const struct pac_proxy *proxy)
{
    return (struct where){proxy->name, proxy->port, proxy->tls};
}

/* The proxy to enter by hand: the first listener without TLS. */
static struct where proxy_by_hand(const struct settings *settings, struct span host)
{
    for (size_t i = 0; i < settings->pac.proxy_count; i++) {
        if (!settings->pac.proxies[i].tls) {
            return where_of(&settings->pac.proxies[i]);
        }
    }
    return settings->pac.proxy_count ? where_of(&settings->pac.proxies[0])
                                     : this_proxy(settings, host);
}

static void put_proxy(struct buf *out, const struct where *proxy)
{
    buf_printf(out, "%s %.*s:%u; ", proxy->tls ? "HTTPS" : "PROXY", SPAN_ARGS(proxy->name),
               proxy->port);
}

static void put_choice(const struct settings *settings, struct span host, struct buf *out)
{
    struct where here = this_proxy(settings, host);

    if (settings->pac.proxy_count == 0) {
        put_proxy(out, &here);
    }
    for (size_t i = 0; i < settings->pac.proxy_count; i++) {
        struct where proxy = where_of(&settings->pac.proxies[i]);
        put_proxy(out, &proxy);
    }
    if (settings->pac.or_direct) {
        buf_printf(out, "DIRECT");
    } else {
        out->end -= 2; /* removes the last "; " */
    }
}

/* ---- the script ---- */

static void put_name(struct buf *out, struct span name)
{
    if (span_starts(name, SPAN("*."))) {
        buf_printf(out, "    if (ends(host, \"%.*s\")) return \"DIRECT\";\n",
                   SPAN_ARGS(span_skip(name, 1)));
    } else {
        buf_printf(out, "    if (host === \"%.*s\") return \"DIRECT\";\n", SPAN_ARGS(name));
    }
}

/* Matches only addresses in URLs: resolving names would make browsers wait for DNS for each URL. */
static void put_network(struct buf *out, const struct prefix *prefix)
{
    char text[IP_TEXT_MAX];

    ip_text(&prefix->ip, text);
    if (ip_is_v4(&prefix->ip) && prefix->bits >= 96) {
        unsigned bits = prefix->bits - 96;
        uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
        buf_printf(
            out, "    if (literal && isInNet(host, \"%s\", \"%u.%u.%u.%u\")) return \"DIRECT\";\n",
            text, mask >> 24, mask >> 16 & 255, mask >> 8 & 255, mask & 255);
    } else {
        buf_printf(out,
                   "    if (v6 && typeof isInNetEx === \"function\" && isInNetEx(host, \"%s/%u\")) "
                   "return \"DIRECT\";\n",
                   text, prefix->bits);
    }
}

void pac_script(const struct settings *settings, const struct pac_asker *asker, struct buf *out)
{
    buf_printf(
        out,
        "// Generated by Larder. Written in ECMAScript 3, for old scripting engines.\n"
        "function ends(text, end) {\n"
        "    var at = text.length - end.length;\n"
        "    return at >= 0 && text.indexOf(end, at) === at;\n"
        "}\n"
        "function FindProxyForURL(url, host) {\n"
        "    host = host.toLowerCase();\n"
        "    var literal = /^\\d+\\.\\d+\\.\\d+\\.\\d+$/.test(host);\n"
        "    var v6 = host.indexOf(\":\") >= 0;\n"
        "    if (isPlainHostName(host) && !v6 && host !== \"localhost\") return \"DIRECT\";\n");
    for (size_t i = 0; i < settings->pac.direct_count; i++) {
        const struct pac_direct *direct = &settings->pac.direct[i];
        if (direct->name.len) {
            put_name(out, direct->name);
        } else {
            put_network(out, &direct->network);
        }
    }
    buf_printf(out, "    return \"");
    put_choice(settings, asker->host, out);
    buf_printf(out, "\";\n}\n");
}

/* ---- the pages ---- */

static const struct pac_page pages[] = {
    {SPAN_INIT("/proxy.pac"), SPAN_INIT("application/x-ns-proxy-autoconfig"), pac_script},
    {SPAN_INIT("/wpad.dat"), SPAN_INIT("application/x-ns-proxy-autoconfig"), pac_script},
    {SPAN_INIT("/setup"), SPAN_INIT("text/html; charset=utf-8"), pac_setup},
};

const struct pac_page *pac_page(struct span path)
{
    path = span_take(path, span_find(path, '?'));
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (span_eq(pages[i].path, path)) {
            return &pages[i];
        }
    }
    return NULL;
}

/* ---- instructions ---- */

struct advice {
    /* Marks: $H, $P: host and port; $U: URL of the script; $S: http or https; $N: hosts without a
     * proxy. */
    const char *system, *steps;
};

static const struct advice advices[] = {
    {"Windows",
     "<li>Settings, Network &amp; Internet, Proxy.<li>At <b>Use setup script</b> choose Set up, "
     "and enter <code>$U</code>.<li>Or at <b>Use a proxy server</b>: address <code>$H</code>, port "
     "<code>$P</code>."},
    {"macOS",
     "<li>System Settings, Network, your connection, Details, Proxies.<li>Turn on <b>Automatic "
     "proxy "
     "configuration</b>, and enter <code>$U</code>.<li>Or Web proxy (HTTP) and Secure web proxy "
     "(HTTPS), both with server <code>$H</code> and port <code>$P</code>."},
    {"iPhone and iPad",
     "<li>Settings, Wi-Fi, the (i) next to the network, Configure Proxy.<li><b>Automatic</b>, with "
     "the URL <code>$U</code>; or Manual, with server <code>$H</code> and port <code>$P</code>."},
    {"Android",
     "<li>Settings, Network &amp; internet, Internet, the gear next to the network, the pencil.<li>"
     "Advanced options, Proxy: <b>Proxy Auto-Config</b>, with the PAC URL <code>$U</code>; or "
     "Manual, with host <code>$H</code> and port <code>$P</code>."},
    {"GNOME", "<li>Settings, Network, Network Proxy: <b>Automatic</b>, with the URL "
              "<code>$U</code>.<li>In a "
              "terminal: <pre>gsettings set org.gnome.system.proxy autoconfig-url '$U'\n"
              "gsettings set org.gnome.system.proxy mode auto</pre>"},
    {"KDE",
     "<li>System Settings, Network, Settings, Proxy: <b>Use proxy auto configuration URL</b>, with "
     "<code>$U</code>."},
    {"Firefox",
     "<li>Settings, General, Network Settings, Settings: <b>Automatic proxy configuration URL</b>, "
     "with <code>$U</code>.<li>Or Manual: HTTP proxy <code>$H</code>, port <code>$P</code>, and "
     "tick \"Also use this proxy for HTTPS\"."},
    {"Chrome, Edge and Chromium",
     "<li>They use the settings of the system, above.<li>On Linux without GNOME or KDE, in a "
     "terminal: <pre>chromium --proxy-pac-url=$U</pre>"},
    {"apt (Debian, Ubuntu)", "<li>As root: <pre>echo 'Acquire::http::Proxy \"$S://$H:$P\";' "
                             ">/etc/apt/apt.conf.d/01proxy</pre>"},
    {"Programs in a terminal",
     "<li><pre>export http_proxy=$S://$H:$P https_proxy=$S://$H:$P\n"
     "export no_proxy=localhost,127.0.0.1,::1$N</pre><li>curl, wget, git, pip, npm and many others "
     "use these."},
};

/* The list in the form that programs expect in no_proxy: ".NAME" means all names below it; most
 * programs accept networks. */
static void put_direct(struct buf *out, const struct settings *settings)
{
    for (size_t i = 0; i < settings->pac.direct_count; i++) {
        const struct pac_direct *direct = &settings->pac.direct[i];
        const struct prefix *network = &direct->network;
        char text[PREFIX_TEXT_MAX];
        bool one = network->bits == 128;
        struct span name = direct->name.len ? direct->name
                                            : span_str(one ? ip_text(&network->ip, text)
                                                           : prefix_text(network, text));
        buf_printf(out, ",%.*s", SPAN_ARGS(span_skip(name, span_starts(name, SPAN("*.")))));
    }
}

/* Values for the marks of the steps. */
struct filling {
    const struct settings *settings;
    struct where proxy;
    struct span url;
};

/* False: it is not a mark. */
static bool put_mark(struct buf *out, char mark, const struct filling *filling)
{
    switch (mark) {
    case 'H':
        buf_append(out, filling->proxy.name);
        return true;
    case 'P':
        buf_printf(out, "%u", filling->proxy.port);
        return true;
    case 'U':
        buf_append(out, filling->url);
        return true;
    case 'S':
        buf_printf(out, "%s", filling->proxy.tls ? "https" : "http");
        return true;
    case 'N':
        put_direct(out, filling->settings);
        return true;
    default:
        return false;
    }
}

/* All values are names and addresses that cannot become markup. */
static void put_advice(struct buf *out, const char *steps, const struct filling *filling)
{
    for (; *steps; steps++) {
        if (steps[0] == '$' && put_mark(out, steps[1], filling)) {
            steps++;
        } else {
            buf_append(out, span_of(steps, 1));
        }
    }
}

/* The URL of the script: that of this page, with another path. */
static void put_script_url(struct buf *url, const struct settings *settings,
                           const struct pac_asker *asker)
{
    struct span name;

    if (plain_host(asker->host, &name) && asker->host.len) {
        buf_printf(url, "%s://%.*s/proxy.pac", asker->tls ? "https" : "http",
                   SPAN_ARGS(asker->host));
    } else {
        struct where here = this_proxy(settings, SPAN_EMPTY);
        buf_printf(url, "%s://%.*s:%u/proxy.pac", here.tls ? "https" : "http", SPAN_ARGS(here.name),
                   here.port);
    }
}

/* The colours of the dashboard. Lines to copy are wrapped, as a phone would hide half of them. */
static const char setup_head[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<link rel=\"icon\" href=\"data:,\">\n<title>Use this proxy</title>\n<style>\n"
    ":root{color-scheme:light dark;--ground:#f4f6f8;--card:#fff;--line:#dfe4ea;--ink:#17202a;"
    "--soft:#5b6776;--accent:#0b6e8f;--bar:#dcebf5}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#0f141a;--card:#182029;--line:#2a3541;"
    "--ink:#e6ebf1;--soft:#98a5b3;--accent:#5cc3e0;--bar:#1d3a4e}}\n"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;"
    "background:var(--ground);color:var(--ink)}\nh1{font-size:1.6rem;margin:0 0 1rem}\n"
    "dl,details{background:var(--card);border:1px solid var(--line);border-radius:.5rem;"
    "margin:0 0 .5rem}\ndl{padding:.25rem 1rem 1rem;margin-bottom:1rem}\n"
    "dt{color:var(--soft);margin-top:.75rem}\ndd{margin:0;font-size:1.15rem}\n"
    "dd small{display:block;font-size:.875rem;color:var(--soft)}\n"
    "summary{cursor:pointer;font-weight:600;padding:.6rem 1rem}\n"
    "summary:focus-visible{outline:2px solid var(--accent);border-radius:.5rem}\n"
    "ol{margin:0;padding:0 1rem .75rem 2.25rem}\nli{margin:.25rem 0}\n"
    "code,pre{font-family:ui-monospace,monospace;overflow-wrap:anywhere}\n"
    "code{user-select:all;font-size:.9em;background:var(--bar);padding:.1em "
    ".3em;border-radius:.25rem}\n"
    "pre{white-space:pre-wrap;user-select:all;background:var(--bar);padding:.5rem .75rem;"
    "border-radius:.25rem;margin:.25rem 0;font-size:.9rem}\np{color:var(--soft)}\n</style>\n";

void pac_setup(const struct settings *settings, const struct pac_asker *asker, struct buf *out)
{
    struct where proxy = proxy_by_hand(settings, asker->host);
    struct buf url = BUF_INIT;

    put_script_url(&url, settings, asker);
    struct filling filling = {settings, proxy, buf_span(&url)};
    buf_printf(out,
               "%s<main>\n<h1>Use this proxy</h1>\n"
               "<dl><dt>Automatic configuration (PAC)<dd><code>%.*s</code>"
               "<small>Recommended: it also knows which hosts to reach directly%s.</small>\n"
               "<dt>Manual configuration<dd><code>%s://%.*s:%u</code></dl>\n",
               setup_head, SPAN_ARGS(buf_span(&url)),
               settings->pac.or_direct ? ", and goes direct while the proxy is down" : "",
               proxy.tls ? "https" : "http", SPAN_ARGS(proxy.name), proxy.port);
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        buf_printf(out, "<details><summary>%s</summary><ol>", advices[i].system);
        put_advice(out, advices[i].steps, &filling);
        buf_printf(out, "</ol></details>\n");
    }
    buf_printf(
        out, "<p>Network administrators can configure all browsers automatically (WPAD): with DHCP "
             "option 252 and the URL of the PAC file, or a host named <code>wpad</code> that "
             "answers <code>/wpad.dat</code> on port 80.\n</main>\n</html>\n");
    buf_fini(&url);
}
