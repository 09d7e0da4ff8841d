#include "proxy/origin/choice.h"

static struct silent_origin *find(struct choice *choice, const struct origin *origin)
{
    for (size_t i = 0; choice->count > 0 && i < CHOICE_SILENT_MAX; i++) {
        if (choice->at[i].origin == origin) {
            return &choice->at[i];
        }
    }
    return NULL;
}

void choice_silent(struct choice *choice, const struct origin *origin, uint64_t now_ms)
{
    struct silent_origin *silent = find(choice, origin);

    if (silent == NULL) {
        silent = &choice->at[choice->next];
        choice->count += silent->origin == NULL;
        choice->next = (choice->next + 1) % CHOICE_SILENT_MAX;
    }
    *silent = (struct silent_origin){origin, now_ms + CHOICE_SILENT_MS};
}

void choice_heard(struct choice *choice, const struct origin *origin)
{
    struct silent_origin *silent = find(choice, origin);

    if (silent) {
        *silent = (struct silent_origin){0};
        choice->count--;
    }
}

bool choice_is_silent(const struct choice *choice, const struct origin *origin, uint64_t now_ms)
{
    for (size_t i = 0; choice->count > 0 && i < CHOICE_SILENT_MAX; i++) {
        if (choice->at[i].origin == origin) {
            return now_ms < choice->at[i].until_ms;
        }
    }
    return false;
}

static bool is_asked(uint64_t asked, size_t i)
{
    return asked >> i & 1;
}

/* The first that is not asked and, unless `silent_too`, has not kept silent. */
static size_t first_of(const struct choice *choice, const struct site *site, uint64_t asked,
                       bool silent_too, uint64_t now_ms)
{
    for (size_t i = 0; i < site->origin_count && i < CHOICE_ORIGINS_MAX; i++) {
        if (!is_asked(asked, i) &&
            (silent_too || !choice_is_silent(choice, &site->origins[i], now_ms))) {
            return i;
        }
    }
    return site->origin_count;
}

size_t choice_next(struct choice *choice, const struct site *site, uint64_t asked, uint64_t now_ms)
{
    size_t next = first_of(choice, site, asked, false, now_ms);

    if (next == site->origin_count) {
        return first_of(choice, site, asked, true, now_ms);
    }
    if (find(choice, &site->origins[next])) {
        choice_silent(choice, &site->origins[next], now_ms); /* until this caller has heard of it */
    }
    return next;
}
