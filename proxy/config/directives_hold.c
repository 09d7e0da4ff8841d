/* Settings that replace those in force: what only a restart changes keeps its value. */
#include "proxy/config/directives_table.h"

/* NULL stays NULL. */
static char *copy_text(const char *text, struct arena *arena)
{
    size_t len = text ? strlen(text) + 1 : 0;

    return text ? memcpy(arena_alloc(arena, len), text, len) : NULL;
}

static struct endpoint copy_endpoint(const struct endpoint *from, struct arena *arena)
{
    struct endpoint copy = *from;

    copy.text = copy_text(from->text, arena);
    copy.unix_path = from->unix_path ? copy.text + (from->unix_path - from->text) : NULL;
    return copy;
}

static const struct listening *find_wanted(const struct settings *settings, const char *address)
{
    for (size_t i = 0; i < settings->wanted_count; i++) {
        if (strcmp(settings->wanted[i].at.text, address) == 0) {
            return &settings->wanted[i];
        }
    }
    return NULL;
}

/* Listeners keep whether they use TLS; their certificates are the new ones. */
static void hold_listeners(struct settings *settings, const struct settings *running)
{
    struct arena *arena = settings->memory;

    settings->listen_count = running->listen_count;
    settings->listen = arena_zalloc(arena, running->listen_count * sizeof(*settings->listen));
    for (size_t i = 0; i < running->listen_count; i++) {
        const struct listening *from = &running->listen[i];
        const struct listening *wanted = find_wanted(settings, from->at.text);
        struct listening *one = &settings->listen[i];
        one->at = copy_endpoint(&from->at, arena);
        one->is_tls = from->is_tls;
        if (from->is_tls && wanted && wanted->is_tls) {
            one->tls = wanted->tls;
        }
    }
}

static void hold_stores(struct settings *settings, const struct settings *running)
{
    struct arena *arena = settings->memory;

    settings->store_count = running->store_count;
    settings->stores = arena_zalloc(arena, running->store_count * sizeof(*settings->stores));
    for (size_t i = 0; i < running->store_count; i++) {
        settings->stores[i] = (struct store_folder){copy_text(running->stores[i].path, arena),
                                                    running->stores[i].size};
    }
    settings->store_path = copy_text(running->store_path, arena);
    settings->store_size = running->store_size;
    settings->store_favor = running->store_favor;
}

void settings_hold(struct settings *settings, const struct settings *running)
{
    struct arena *arena = settings->memory;

    hold_listeners(settings, running);
    hold_stores(settings, running);
    settings->admin = copy_endpoint(&running->admin, arena);
    settings->workers = running->workers;
    settings->memory_size = running->memory_size;
    settings->state = copy_text(running->state, arena);
    settings->sandbox = running->sandbox;
    settings->takeover = copy_text(running->takeover, arena);
    if (!conf_is_written(&settings->flat, "name")) {
        settings->name = settings_own_name(settings, arena);
    }
}
