#include "proxy/client/access.h"

#include "http/hostlist.h"

static bool names_client(const struct access_rule *rule, const struct ip *client)
{
    if (rule->from_is_settled) {
        return prefixes_have(rule->from, rule->from_count, client);
    }
    for (size_t i = 0; i < rule->from_count; i++) {
        if (prefix_has(&rule->from[i], client)) {
            return true;
        }
    }
    return rule->from_count == 0;
}

static bool names_port(const struct access_rule *rule, const struct uri *uri)
{
    for (size_t i = 0; i < rule->port_count; i++) {
        if (uri->port >= rule->ports[i].first && uri->port <= rule->ports[i].last) {
            return true;
        }
    }
    return rule->port_count == 0;
}

static bool names_method(const struct access_rule *rule, const struct http_head *request)
{
    struct span method = request->method_text.len || request->method == METHOD_OTHER
                             ? request->method_text
                             : http_method_text(request->method);

    for (size_t i = 0; i < rule->method_count; i++) {
        if (span_eq(rule->methods[i], method)) {
            return true;
        }
    }
    return rule->method_count == 0;
}

static bool names_time(const struct access_rule *rule, int64_t now)
{
    if (rule->hour_count == 0) {
        return true;
    }
    unsigned minute = hours_minute(now);
    for (size_t i = 0; i < rule->hour_count; i++) {
        if (hours_has(&rule->hours[i], minute)) {
            return true;
        }
    }
    return false;
}

static bool names_host(const struct access_rule *rule, const struct uri *uri)
{
    for (size_t i = 0; i < rule->list_count; i++) {
        if (hostlist_has(rule->lists[i], uri->host)) {
            return true;
        }
    }
    return rule->list_count == 0;
}

static bool names_user(const struct access_rule *rule, const struct user *user)
{
    for (size_t i = 0; i < rule->user_count; i++) {
        if (span_eq(rule->users[i], SPAN("*")) || span_eq(rule->users[i], user->name)) {
            return true;
        }
    }
    for (size_t i = 0; i < rule->group_count; i++) {
        if (user_is_in(user, rule->groups[i])) {
            return true;
        }
    }
    return false;
}

/* Does everything that the rule names match? Hosts are compared last, as that may be a search among
 * a million names. */
static bool holds(const struct access_rule *rule, const struct access_query *query)
{
    return names_client(rule, query->client) &&
           (rule->is_plain || (names_port(rule, query->uri) && names_method(rule, query->request) &&
                               names_time(rule, query->now) && names_host(rule, query->uri)));
}

/* Can the client be asked to authenticate? Only a proxy may ask (RFC 9110 11.7.1), so a client that
 * takes us for the origin stays anonymous. */
static bool can_be_asked(const struct access_query *query)
{
    const struct http_head *request = query->request;
    return request->version == HTTP_2 || !span_starts(request->target, SPAN("/"));
}

enum applies { APPLIES, APPLIES_NOT, APPLIES_TO_WHOM };

/* Does the rule match, without its exceptions? A client that cannot be asked is anonymous. */
static enum applies applies(const struct access_rule *rule, const struct access_query *query)
{
    if (!holds(rule, query)) {
        return APPLIES_NOT;
    }
    if (!rule->needs_user) {
        return APPLIES;
    }
    if (query->user == NULL) {
        return can_be_asked(query) ? APPLIES_TO_WHOM : APPLIES_NOT;
    }
    return names_user(rule, query->user) ? APPLIES : APPLIES_NOT;
}

/* The same with its exceptions. The user is not asked for an exception if another one matches
 * anyway. */
static enum applies applies_but(const struct access_rule *rule, const struct access_query *query)
{
    enum applies whole = applies(rule, query);

    for (size_t i = 0; i < rule->except_count && whole != APPLIES_NOT; i++) {
        enum applies one = applies(&rule->except[i], query);
        if (one != APPLIES_NOT) {
            whole = one == APPLIES ? APPLIES_NOT : APPLIES_TO_WHOM;
        }
    }
    return whole;
}

void access_decide(const struct settings *settings, const struct access_query *query,
                   struct access_answer *out)
{
    *out = (struct access_answer){.verdict = ACCESS_DENIED};
    for (size_t i = 0; i < settings->access_count; i++) {
        const struct access_rule *rule = &settings->access[i];
        enum applies how = applies_but(rule, query);
        if (how == APPLIES_NOT) {
            continue;
        }
        out->verdict = how == APPLIES_TO_WHOM ? ACCESS_WHO
                       : rule->allow          ? ACCESS_ALLOWED
                                              : ACCESS_DENIED;
        out->number = (unsigned)i + 1;
        out->rule = rule;
        return;
    }
}

/* Does the rule depend on nothing but the client's address? */
static bool is_about_addresses(const struct access_rule *rule)
{
    return rule->is_plain && !rule->needs_user;
}

static bool excepts_address(const struct access_rule *rule, const struct ip *client)
{
    for (size_t i = 0; i < rule->except_count; i++) {
        if (is_about_addresses(&rule->except[i]) && names_client(&rule->except[i], client)) {
            return true;
        }
    }
    return false;
}

bool access_may_use(const struct settings *settings, const struct ip *client)
{
    for (size_t i = 0; i < settings->access_count; i++) {
        const struct access_rule *rule = &settings->access[i];
        if (!names_client(rule, client) || excepts_address(rule, client)) {
            continue;
        }
        if (rule->allow) {
            return true;
        }
        if (is_about_addresses(rule) && rule->except_count == 0) {
            return false;
        }
    }
    return false;
}
