/*
 * dns_fake - a name server for tests, on the loop under test: UDP on a free port of 127.0.0.1,
 * answering from a table that the test may change while it runs.
 */
#ifndef LARDER_TESTS_DNS_FAKE_H
#define LARDER_TESTS_DNS_FAKE_H

#include <uv.h>

#define DNS_FAKE_RECORDS 64

enum dns_fake_kind { FAKE_SILENT, FAKE_NXDOMAIN, FAKE_SERVFAIL };

struct dns_fake_record {
    const char *name;
    int family;          /* AF_INET, AF_INET6 */
    const char *address; /* NULL: a CNAME */
    const char *cname;
    uint32_t ttl;
};

struct dns_fake {
    uv_udp_t udp;
    char endpoint[32]; /* "127.0.0.1:PORT" */
    struct dns_fake_record records[DNS_FAKE_RECORDS];
    size_t count;
    enum dns_fake_kind otherwise; /* for names without any record */
    int silent_family;            /* AF_INET, AF_INET6: such questions are not answered */
    int swallow;                  /* so many packets are not answered */
    unsigned questions;           /* received */
    unsigned open;                /* 0 when closed */
};

void dns_fake_open(struct dns_fake *fake, uv_loop_t *loop);
void dns_fake_add(struct dns_fake *fake, const char *name, int family, const char *address,
                  uint32_t ttl);
void dns_fake_alias(struct dns_fake *fake, const char *name, const char *cname, uint32_t ttl);
void dns_fake_clear(struct dns_fake *fake);
void dns_fake_close(struct dns_fake *fake);

#endif
