#include "proxy/access/open.h"

static bool is_everybody(const struct prefix *prefix)
{
    return prefix->bits == 0 || (ip_is_v4(&prefix->ip) && prefix->bits == 96);
}

static bool is_from_everybody(const struct access_rule *rule)
{
    for (size_t i = 0; i < rule->from_count; i++) {
        if (is_everybody(&rule->from[i])) {
            return true;
        }
    }
    return rule->from_count == 0;
}

static bool names_hosts(const struct access_rule *rule)
{
    return rule->host_count || rule->host_file_count;
}

static bool lets_everybody_in(const struct access_rule *rule)
{
    return rule->allow && !rule->needs_user && !names_hosts(rule) && is_from_everybody(rule);
}

/* Does the rule deny everything except some clients or some hosts? */
static bool shuts_out(const struct access_rule *rule)
{
    for (size_t i = 0; i < rule->except_count; i++) {
        const struct access_rule *except = &rule->except[i];
        if (!names_hosts(except) && !except->needs_user && is_from_everybody(except)) {
            return false;
        }
    }
    return !rule->allow && rule->is_plain && !rule->needs_user && is_from_everybody(rule);
}

static bool is_reached_by_others(const struct settings *settings)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        struct ip ip = ip_of_sockaddr((const struct sockaddr *)&settings->listen[i].at.address);
        if (!ip_is_loopback(&ip)) {
            return true;
        }
    }
    return false;
}

const struct access_rule *access_open_rule(const struct settings *settings)
{
    if (!is_reached_by_others(settings)) {
        return NULL;
    }
    for (size_t i = 0; i < settings->access_count; i++) {
        if (lets_everybody_in(&settings->access[i])) {
            return &settings->access[i];
        }
        if (shuts_out(&settings->access[i])) {
            return NULL;
        }
    }
    return NULL;
}
