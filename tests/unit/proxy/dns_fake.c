#include "tests/unit/proxy/dns_fake.h"

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>

enum { HEADER = 12, TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, PACKET_MAX = 512 };

struct packet {
    uint8_t at[PACKET_MAX];
    size_t len;
};

static void put16(struct packet *p, unsigned value)
{
    p->at[p->len++] = (uint8_t)(value >> 8);
    p->at[p->len++] = (uint8_t)value;
}

static void put_name(struct packet *p, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, ".");
        p->at[p->len++] = (uint8_t)n;
        memcpy(p->at + p->len, name, n);
        p->len += n;
        name += n + (name[n] == '.');
    }
    p->at[p->len++] = 0;
}

/* The question's name as text; returns its length in the packet. */
static size_t get_name(const uint8_t *at, size_t len, char *out)
{
    size_t i = 0;
    size_t to = 0;

    while (i < len && at[i] != 0 && i + 1 + at[i] < len) {
        memcpy(out + to, at + i + 1, at[i]);
        to += at[i];
        out[to++] = '.';
        i += 1u + at[i];
    }
    out[to > 0 ? to - 1 : 0] = '\0';
    return i + 1;
}

static void put_record(struct packet *p, const char *owner, const struct dns_fake_record *record)
{
    put_name(p, owner);
    put16(p, record->cname ? TYPE_CNAME : record->family == AF_INET ? TYPE_A : TYPE_AAAA);
    put16(p, 1);
    put16(p, record->ttl >> 16);
    put16(p, record->ttl & 0xffff);
    size_t length_at = p->len;
    put16(p, 0);
    if (record->cname) {
        put_name(p, record->cname);
    } else {
        CHECK(inet_pton(record->family, record->address, p->at + p->len) == 1);
        p->len += record->family == AF_INET ? 4 : 16;
    }
    p->at[length_at + 1] = (uint8_t)(p->len - length_at - 2);
}

/* Follows one alias. Returns how many records were put; *known: the name has any. */
static unsigned put_answers(struct dns_fake *fake, struct packet *p, const char *name, int family,
                            bool *known)
{
    unsigned put = 0;

    for (size_t i = 0; i < fake->count; i++) {
        const struct dns_fake_record *record = &fake->records[i];
        if (strcasecmp(record->name, name) != 0) {
            continue;
        }
        *known = true;
        if (record->cname) {
            put_record(p, name, record);
            return 1 + put_answers(fake, p, record->cname, family, known);
        }
        if (record->family == family) {
            put_record(p, name, record);
            put++;
        }
    }
    return put;
}

static void on_sent(uv_udp_send_t *request, int status)
{
    (void)status;
    free(request);
}

static void reply(struct dns_fake *fake, struct packet *p, const struct sockaddr *to)
{
    uv_buf_t buf = uv_buf_init((char *)p->at, (unsigned)p->len);

    uv_udp_send(xmalloc(sizeof(uv_udp_send_t)), &fake->udp, &buf, 1, to, on_sent);
}

static void answer(struct dns_fake *fake, const uint8_t *query, size_t len,
                   const struct sockaddr *from)
{
    struct packet p = {.len = HEADER};
    char name[256];
    bool known = false;
    size_t name_len = get_name(query + HEADER, len - HEADER, name);
    int family = query[HEADER + name_len + 1] == TYPE_A ? AF_INET : AF_INET6;

    fake->questions++;
    if (fake->swallow > 0) {
        fake->swallow--;
        return;
    }
    if (fake->silent_family == family) {
        return;
    }
    memcpy(p.at, query, 2);
    memcpy(p.at + p.len, query + HEADER, name_len + 4);
    p.len += name_len + 4;
    unsigned answers = put_answers(fake, &p, name, family, &known);
    if (!known && fake->otherwise == FAKE_SILENT) {
        return;
    }
    p.at[2] = 0x81; /* a response, recursion desired */
    p.at[3] = known ? 0x80 : fake->otherwise == FAKE_NXDOMAIN ? 0x83 : 0x82;
    p.at[5] = 1;
    p.at[7] = (uint8_t)answers;
    reply(fake, &p, from);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char memory[PACKET_MAX];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(memory, sizeof(memory));
}

static void on_packet(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                      unsigned flags)
{
    (void)flags;
    if (n > HEADER && from) {
        answer(container_of(udp, struct dns_fake, udp), (const uint8_t *)buf->base, (size_t)n,
               from);
    }
}

void dns_fake_open(struct dns_fake *fake, uv_loop_t *loop)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof(at);

    *fake = (struct dns_fake){.open = 1, .otherwise = FAKE_NXDOMAIN};
    CHECK(uv_udp_init(loop, &fake->udp) == 0);
    CHECK(uv_udp_bind(&fake->udp, (const struct sockaddr *)&at, 0) == 0);
    CHECK(uv_udp_getsockname(&fake->udp, (struct sockaddr *)&at, &len) == 0);
    snprintf(fake->endpoint, sizeof(fake->endpoint), "127.0.0.1:%u", ntohs(at.sin_port));
    CHECK(uv_udp_recv_start(&fake->udp, on_alloc, on_packet) == 0);
}

void dns_fake_add(struct dns_fake *fake, const char *name, int family, const char *address,
                  uint32_t ttl)
{
    CHECK(fake->count < DNS_FAKE_RECORDS);
    fake->records[fake->count++] =
        (struct dns_fake_record){.name = name, .family = family, .address = address, .ttl = ttl};
}

void dns_fake_alias(struct dns_fake *fake, const char *name, const char *cname, uint32_t ttl)
{
    CHECK(fake->count < DNS_FAKE_RECORDS);
    fake->records[fake->count++] =
        (struct dns_fake_record){.name = name, .cname = cname, .ttl = ttl};
}

void dns_fake_clear(struct dns_fake *fake)
{
    fake->count = 0;
}

static void on_closed(uv_handle_t *handle)
{
    container_of((uv_udp_t *)handle, struct dns_fake, udp)->open = 0;
}

void dns_fake_close(struct dns_fake *fake)
{
    uv_close((uv_handle_t *)&fake->udp, on_closed);
}
