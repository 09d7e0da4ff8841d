/*
 * pac - what clients' systems are told of this proxy: a script for their automatic configuration
 * (PAC, also as WPAD's wpad.dat), and a page for people. Pure.
 */
#ifndef LARDER_PROXY_CLIENT_PAC_H
#define LARDER_PROXY_CLIENT_PAC_H

#include "base/buf.h"
#include "proxy/directives.h"

/* Who asks for a page. */
struct pac_asker {
    /* The Host: where no proxies are configured this one is named by it. It may be anything. */
    struct span host;
    bool tls; /* on a connection that speaks TLS: the script is there by https */
};

/* A page of these three; NULL: there is none at this path (of a URL, with or without a query). */
struct pac_page {
    struct span path, type;
    void (*write)(const struct settings *settings, const struct pac_asker *asker, struct buf *out);
};

const struct pac_page *pac_page(struct span path);

/* Of several listeners the proxy is the first plain one that the client can reach: not all systems
 * can ask by TLS. */
void pac_script(const struct settings *settings, const struct pac_asker *asker, struct buf *out);
void pac_setup(const struct settings *settings, const struct pac_asker *asker, struct buf *out);

#endif
