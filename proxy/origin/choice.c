#include "proxy/origin/choice.h"

void choice_init(struct choice *choice)
{
    *choice = (struct choice){.key = sip_key_random()};
}

static uint64_t hash_of(const struct choice *choice, const struct uri *origin)
{
    uint64_t place = (uint64_t)origin->port << 1 | origin->https;

    return (sip_hash64(&choice->key, origin->host) ^ place) | UINT64_C(1) << 63;
}

static struct silent_origin *find(struct choice *choice, const struct uri *origin)
{
    if (choice->count == 0) {
        return NULL; /* most sites have one origin */
    }
    uint64_t hash = hash_of(choice, origin);
    for (size_t i = 0; i < CHOICE_SILENT_MAX; i++) {
        if (choice->at[i].origin == hash) {
            return &choice->at[i];
        }
    }
    return NULL;
}

void choice_silent(struct choice *choice, const struct uri *origin, uint64_t now_ms)
{
    struct silent_origin *silent = find(choice, origin);

    if (silent == NULL) {
        silent = &choice->at[choice->next];
        choice->next = (choice->next + 1) % CHOICE_SILENT_MAX;
        choice->count += silent->origin == 0;
    }
    *silent = (struct silent_origin){hash_of(choice, origin), now_ms + CHOICE_SILENT_MS};
}

void choice_heard(struct choice *choice, const struct uri *origin)
{
    struct silent_origin *silent = find(choice, origin);

    if (silent) {
        *silent = (struct silent_origin){0};
        choice->count--;
    }
}

bool choice_may_ask(struct choice *choice, const struct uri *origin, uint64_t now_ms)
{
    struct silent_origin *silent = find(choice, origin);

    if (silent == NULL) {
        return true;
    }
    if (now_ms < silent->until_ms) {
        return false;
    }
    silent->until_ms = now_ms + CHOICE_SILENT_MS;
    return true;
}

size_t choice_next(struct choice *choice, const struct site *site, uint64_t asked, uint64_t now_ms,
                   bool *silent)
{
    size_t first = site->origin_count;

    *silent = false;
    for (size_t i = 0; i < site->origin_count && i < CHOICE_ORIGINS_MAX; i++) {
        if (asked >> i & 1) {
            continue;
        }
        if (choice_may_ask(choice, &site->origins[i].uri, now_ms)) {
            return i;
        }
        first = first < i ? first : i;
    }
    *silent = first < site->origin_count;
    return first;
}
