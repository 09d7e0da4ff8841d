#include "proxy/client/access.h"

static bool names(const struct access_rule *rule, const struct ip *client)
{
    for (size_t i = 0; i < rule->from_count; i++) {
        if (prefix_has(&rule->from[i], client)) {
            return true;
        }
    }
    return rule->from_count == 0;
}

bool access_client(const struct settings *settings, const struct ip *client)
{
    for (size_t i = 0; i < settings->access_count; i++) {
        if (names(&settings->access[i], client)) {
            return settings->access[i].allow;
        }
    }
    return false;
}
