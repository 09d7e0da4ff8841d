/*
 * pac - what clients' systems are told of this proxy: a script for their automatic configuration
 * (PAC, also as WPAD's wpad.dat), and a page for people. Pure.
 */
#ifndef LARDER_PROXY_CLIENT_PAC_H
#define LARDER_PROXY_CLIENT_PAC_H

#include "base/buf.h"
#include "proxy/directives.h"

/* A page of these three; NULL: there is none at this path (of a URL, with or without a query). */
struct pac_page {
    struct span path, type;
    /* `host`: the Host that the client asks by; where no proxies are configured this one is named
     * by it. It may be anything. */
    void (*write)(const struct settings *settings, struct span host, struct buf *out);
};

const struct pac_page *pac_page(struct span path);

void pac_script(const struct settings *settings, struct span host, struct buf *out);
void pac_setup(const struct settings *settings, struct span host, struct buf *out);

#endif
