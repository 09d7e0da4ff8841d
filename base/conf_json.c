#include "base/conf_json.h"

static void put_text(json_t *object, const char *name, const char *text)
{
    json_t *value = text ? json_string(text) : NULL;

    if (text) {
        json_object_set_new(object, name, value ? value : json_string("(not UTF-8)"));
    }
}

static void put_change(void *arg, const struct conf_change *change)
{
    static const char *const kinds[] = {[CONF_ADDED] = "added",
                                        [CONF_REMOVED] = "removed",
                                        [CONF_CHANGED] = "changed",
                                        [CONF_MOVED] = "moved"};
    const struct conf_setting *any = change->after ? change->after : change->before;
    json_t *row = json_object();

    put_text(row, "path", any->path);
    put_text(row, "kind", kinds[change->kind]);
    if (change->kind != CONF_MOVED) {
        put_text(row, "before", change->before ? change->before->shown : NULL);
        put_text(row, "after", change->after ? change->after->shown : NULL);
    }
    put_text(row, "origin", any->origin);
    put_text(row, "by", any->by_reload ? "reload" : "restart");
    json_array_append_new(arg, row);
}

json_t *conf_changes_json(const struct conf_flat *before, const struct conf_flat *after)
{
    json_t *root = json_object(), *changes = json_array();

    conf_compare(before, after, put_change, changes);
    json_object_set_new(root, "changes", changes);
    return root;
}
