/* directives_options - options of the command line that stand for one or more directives. */
#include "proxy/config/directives_table.h"

static void put_quoted(struct buf *out, struct span text)
{
    buf_append(out, SPAN("\""));
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\') {
            buf_append(out, SPAN("\\"));
        }
        buf_append(out, span_of(text.at + i, 1));
    }
    buf_append(out, SPAN("\""));
}

/* Writes "a,b" as items of a YAML list. */
static void put_items(struct buf *out, struct span text)
{
    bool first = true;

    do {
        buf_append(out, first ? SPAN_EMPTY : SPAN(", "));
        put_quoted(out, span_trim(span_cut(&text, ',')));
        first = false;
    } while (text.len);
}

static int add_yaml(struct conf *conf, const struct conf_option *option, const char *path,
                    struct buf *yaml)
{
    buf_append(yaml, SPAN("\0"));
    int err = conf_add(conf, option->name, path, yaml->data);
    buf_fini(yaml);
    return err;
}

static int apply_allow(struct conf *conf, const struct conf_option *option, const char *value)
{
    struct buf yaml = BUF_INIT;

    if (strcmp(value, "all") == 0) {
        return conf_add(conf, option->name, "access", "{allow: {}}");
    }
    buf_printf(&yaml, "{allow: {from: [");
    put_items(&yaml, span_str(value));
    buf_printf(&yaml, "]}}");
    return add_yaml(conf, option, "access", &yaml);
}

static int apply_site(struct conf *conf, const struct conf_option *option, const char *value)
{
    struct span origins = span_str(value);
    struct span hosts = span_cut(&origins, '=');
    struct buf yaml = BUF_INIT;

    if (hosts.len == 0 || origins.len == 0) {
        return conf_fault(conf, option->name,
                          "\"%.80s\" is no site; expected HOST=ORIGIN such as "
                          "www.example.net=http://127.0.0.1:8080",
                          value);
    }
    buf_printf(&yaml, "{hosts: [");
    put_items(&yaml, hosts);
    buf_printf(&yaml, "], origins: [");
    put_items(&yaml, origins);
    buf_printf(&yaml, "]}");
    return add_yaml(conf, option, "sites", &yaml);
}

static int apply_listen_tls(struct conf *conf, const struct conf_option *option, const char *value)
{
    struct buf yaml = BUF_INIT;

    buf_printf(&yaml, "{address: ");
    put_quoted(&yaml, span_str(value));
    buf_printf(&yaml, ", tls: {}}");
    return add_yaml(conf, option, "listen", &yaml);
}

/* clang-format off */
const struct conf_option settings_options[] = {
    {"--listen", "ADDRESS", "listen", "Listen for clients: 127.0.0.1:3128; may be repeated.", NULL},
    {"--listen-tls", "ADDRESS", NULL, "Listen for clients that use TLS.", apply_listen_tls},
    {"--certificate", "PEM", "tls.certificate", "Certificate chain for --listen-tls.", NULL},
    {"--key", "PEM", "tls.key", "Private key of the certificate.", NULL},
    {"--admin", "ADDRESS", "admin.address", "Dashboard, metrics, control; unix:/PATH for a socket.", NULL},
    {"--store", "DIR", "store.path", "Directory of the disk store; without it, memory only.", NULL},
    {"--store-size", "SIZE", "store.size", "Disk space that the store may use.", NULL},
    {"--memory", "SIZE", "memory.size", "Limit for cached objects and traffic in memory.", NULL},
    {"--workers", "N", "workers", "Event loops; 0: one per CPU, at most 8.", NULL},
    {"--allow", "PREFIX,...", NULL, "Clients that may use the proxy; all: everybody.", apply_allow},
    {"--site", "HOST=ORIGIN", NULL, "Serve HOST as a replica of ORIGIN; *: any host.", apply_site},
    {"--allow-target", "PREFIX,...", "allow-targets", "Allow loopback and other special target addresses.", NULL},
    {"--connect-ports", "PORTS", "connect-ports", "Ports allowed for CONNECT: 443,1024-65535.", NULL},
    {"--nameserver", "ADDRESS", "nameservers", "Resolver for names of origins.", NULL},
    {"--access-log", "PATH", "log.access", "Access log; - is standard output.", NULL},
    {"--takeover", NULL, NULL, "Replace the process at the socket of `takeover`.", NULL},
    {"--check", NULL, NULL, "Check the configuration and exit: 0 valid, 1 not.", NULL},
    {"--print-config", NULL, NULL, "Print all settings, and where each is from; exit.", NULL},
    {"--print-settings", NULL, NULL, NULL, NULL}, /* for larderctl diff */
    {"--directives", NULL, NULL, "Print what every directive means; exit.", NULL},
    {"--version", NULL, NULL, "Print the version; exit.", NULL},
    {"--help", NULL, NULL, "Print this; exit.", NULL},
    {0},
};
/* clang-format on */
