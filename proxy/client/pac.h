/*
 * pac - what clients use to configure themselves: the PAC script (also as WPAD's wpad.dat), and a
 * page for people. Pure.
 */
#ifndef LARDER_PROXY_CLIENT_PAC_H
#define LARDER_PROXY_CLIENT_PAC_H

#include "base/buf.h"
#include "proxy/config/directives.h"

/* The request for a page. */
struct pac_asker {
    /* The Host field. When no proxies are configured, the script names this proxy by it. Not
     * trusted. */
    struct span host;
    bool tls; /* it came over TLS, so the script is available by https */
};

/* One of the pages; NULL when the path (of a URL, with or without query) is none of them. */
struct pac_page {
    struct span path, type;
    void (*write)(const struct settings *settings, const struct pac_asker *asker, struct buf *out);
};

const struct pac_page *pac_page(struct span path);

/* The script names the first listener without TLS that the client can reach, as not all systems
 * support TLS to a proxy. */
void pac_script(const struct settings *settings, const struct pac_asker *asker, struct buf *out);
void pac_setup(const struct settings *settings, const struct pac_asker *asker, struct buf *out);

#endif
