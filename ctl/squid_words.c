/* Directives of Squid that have no counterpart here, and why: some are not needed, some are missed.
 */
#include "ctl/squid.h"

struct word {
    const char *name, *why;
};

static const struct word needless[] = {
    {"coredump_dir", "the matter of systemd (LimitCORE)"},
    {"pid_filename", "it stays in the foreground; systemd knows its process"},
    {"cache_effective_user", "the matter of systemd (User)"},
    {"cache_effective_group", "the matter of systemd (Group)"},
    {"max_filedescriptors", "the matter of systemd (LimitNOFILE)"},
    {"cache_log", "what happens goes to standard error, and so to the journal"},
    {"logfile_rotate", "the matter of logrotate, and larderctl reopen"},
    {"debug_options", "log.level"},
    {"cache_replacement_policy", "what is kept is decided by S3-FIFO; see store.favor"},
    {"memory_replacement_policy", "the same"},
    {"cache_swap_low", "the store makes room for itself"},
    {"cache_swap_high", "the store makes room for itself"},
    {"maximum_object_size_in_memory", "memory holds what is hot, of any size"},
    {"minimum_object_size", "small objects cost little here"},
    {"collapsed_forwarding", "requests for the same are always one"},
    {"quick_abort_min", "a fetch goes on when it is worth it"},
    {"quick_abort_max", "a fetch goes on when it is worth it"},
    {"quick_abort_pct", "a fetch goes on when it is worth it"},
    {"range_offset_limit", "parts are kept as parts"},
    {"ipcache_size", "names are kept as long as their servers say"},
    {"fqdncache_size", "names are kept as long as their servers say"},
    {"positive_dns_ttl", "names are kept as long as their servers say"},
    {"negative_dns_ttl", "names are kept as long as their servers say"},
    {"httpd_suppress_version_string", "no page tells the version"},
    {"cache_mgr", "pages name no administrator"},
    {"icp_port", "there is no ICP"},
    {"htcp_port", "there is no HTCP"},
    {"snmp_port", "there is no SNMP; see /metrics"},
    {"half_closed_clients", "decided by the protocol"},
    {"client_persistent_connections", "always"},
    {"server_persistent_connections", "always"},
    {"pipeline_prefetch", "always"},
    {"ftp_user", "there is no FTP"},
    {"ftp_passive", "there is no FTP"},
    {"buffered_logs", "always, for a second at most"},
    {"log_mime_hdrs", "see log.access and its fields"},
    {"strip_query_terms", "values of queries that look like secrets are left out of logs"},
    {"hosts_file", "names are asked of DNS"},
    {"cache_store_log", "see larderctl store"},
};

static const struct word missing[] = {
    {"delay_pools", "see the limits of rates in docs/configuration.md"},
    {"delay_class", "see the limits of rates in docs/configuration.md"},
    {"delay_access", "see the limits of rates in docs/configuration.md"},
    {"delay_parameters", "see the limits of rates in docs/configuration.md"},
    {"include", "import that file as well"},
    {"cache", "what may be stored is decided by the responses"},
    {"always_direct", "origins are always asked directly"},
    {"never_direct", "origins are always asked directly"},
    {"cache_peer_access", "write the hosts of each site by hand"},
    {"cache_peer_domain", "write the hosts of each site by hand"},
    {"url_rewrite_program", "there are no helpers"},
    {"store_id_program", "there are no helpers"},
    {"redirect_program", "there are no helpers"},
    {"external_acl_type", "there are no helpers"},
    {"http_reply_access", "answers are not judged"},
    {"request_header_access", "fields are passed on by the rules of HTTP"},
    {"reply_header_access", "fields are passed on by the rules of HTTP"},
    {"request_header_add", "fields are passed on by the rules of HTTP"},
    {"ssl_bump", "there is no interception of TLS"},
    {"sslcrtd_program", "there is no interception of TLS"},
    {"icap_enable", "there is no ICAP"},
    {"icap_service", "there is no ICAP"},
    {"deny_info", "pages of errors are Larder's own"},
    {"error_directory", "pages of errors are Larder's own"},
    {"tcp_outgoing_address", "the system chooses the address"},
    {"negative_ttl", "errors are kept as long as their origins say"},
    {"offline_mode", "no such mode"},
    {"client_lifetime", "only idle time is limited"},
    {"forward_timeout", "see timeouts.connect"},
    {"icp_access", "there is no ICP"},
    {"htcp_access", "there is no HTCP"},
    {"snmp_access", "there is no SNMP"},
};

static const char *find_word(const struct word *list, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++) {
        if (span_eq(name, span_str(list[i].name))) {
            return list[i].why;
        }
    }
    return NULL;
}

const char *squid_needless(struct span name)
{
    return find_word(needless, ARRAY_LEN(needless), name);
}

const char *squid_missing(struct span name)
{
    return find_word(missing, ARRAY_LEN(missing), name);
}
