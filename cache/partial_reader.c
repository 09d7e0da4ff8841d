/* partial_reader - readers of a response known in parts, and what they find at an offset. */
#include "base/err.h"
#include "cache/partial_parts.h"

void partial_join(struct partial *partial, struct partial_reader *reader, struct piece_range wants,
                  struct waker waker)
{
    *reader = (struct partial_reader){.wants = wants, .waker = waker};
    list_init(&reader->waiting);
    cold_init(&reader->cold, COLD_MUST, waker);
    partial_lock(partial);
    list_push_back(&partial->readers, &reader->link);
    partial_unlock(partial);
}

/* Under the lock. */
static bool is_wanted(const struct partial *partial, const struct piece *piece)
{
    list_each(link, &partial->readers)
    {
        const struct partial_reader *reader = list_entry(link, struct partial_reader, link);
        if (reader->wants.from < piece->range.to && reader->wants.to > piece->range.from) {
            return true;
        }
    }
    return false;
}

/* Tells who brings pieces that nobody wants any more. A piece may have paused for its first reader,
 * and nothing else would end that (the last of several is told by the spool). A reader may also
 * have passed one by, with a piece that was forgotten while it was read. */
static void note_unwanted(struct partial *partial, struct piece_range range)
{
    size_t i = partial_piece_after(partial, range.from);

    for (; i < partial->count && partial->pieces[i]->range.from < range.to; i++) {
        const struct piece *piece = partial->pieces[i];
        if (piece->state == PIECE_ARRIVING && spool_readers(piece->object->spool) == 0 &&
            !is_wanted(partial, piece)) {
            spool_note_unread(piece->object->spool);
        }
    }
}

void partial_leave(struct partial *partial, struct partial_reader *reader)
{
    partial_lock(partial);
    list_remove(&reader->waiting);
    list_remove(&reader->link);
    note_unwanted(partial, reader->wants);
    partial_unlock(partial);
    cold_fini(&reader->cold);
}

bool partial_is_wanted(struct partial *partial, const struct piece *piece)
{
    partial_lock(partial);
    bool wanted = is_wanted(partial, piece);
    partial_unlock(partial);
    return wanted;
}

static void await(struct partial *partial, struct partial_reader *reader)
{
    list_remove(&reader->waiting);
    list_push_back(&partial->waiting, &reader->waiting);
}

/* Finds the piece, with its object unless that has to be read from the store. */
static enum partial_look look(struct partial *partial, struct partial_reader *reader,
                              uint64_t offset, struct partial_view *view)
{
    struct piece *piece = partial_at(partial, offset);
    uint64_t before = reader->wants.from;

    reader->wants.from = offset;
    note_unwanted(partial, (struct piece_range){before, offset});
    if (piece == NULL && !partial_takes_pieces(partial)) {
        return PARTIAL_DEAD;
    }
    if (piece == NULL || piece->state == PIECE_CLAIMED) {
        await(partial, reader);
        return piece ? PARTIAL_WAIT : PARTIAL_HOLE;
    }
    *view = (struct partial_view){
        .object = piece->object ? object_ref(piece->object) : NULL,
        .range = piece->range,
        .piece = piece_ref(piece),
    };
    return PARTIAL_HERE;
}

static int load(struct partial *partial, struct partial_reader *reader, struct partial_view *view)
{
    _Alignas(16) char first[1024];
    struct arena arena;
    struct cache_key key;

    arena_init(&arena, first, sizeof(first));
    partial_piece_key(partial, view->range.from, &arena, &key);
    int err =
        object_load(partial_shelf(partial), &key, OBJECT_USED, 0, &reader->cold, &view->object);
    arena_fini(&arena);
    if (err != ERR_AGAIN) {
        cold_fini(&reader->cold);
    }
    /* The stored record of a piece may be longer than the piece, which was cut short afterwards. */
    if (!err && (uint64_t)view->object->body_len < view->range.to - view->range.from) {
        object_unref(&view->object);
        err = ERR_CORRUPT;
    }
    return err;
}

enum partial_look partial_look(struct partial *partial, struct partial_reader *reader,
                               uint64_t offset, struct partial_view *view)
{
    for (;;) {
        *view = (struct partial_view){0};
        partial_lock(partial);
        enum partial_look result = look(partial, reader, offset, view);
        partial_unlock(partial);
        if (result != PARTIAL_HERE || view->object) {
            return result;
        }
        int err = load(partial, reader, view);
        if (err == 0) {
            return PARTIAL_HERE;
        }
        if (err == ERR_AGAIN) {
            partial_view_fini(view);
            return PARTIAL_COLD;
        }
        /* the record was evicted, so the piece is a hole again */
        partial_forget(partial, view->piece);
        partial_view_fini(view);
    }
}

bool partial_is_cut(struct partial *partial, struct partial_reader *reader,
                    const struct piece *piece, uint64_t offset)
{
    partial_lock(partial);
    bool cut = piece->range.to <= offset;
    if (!cut) {
        await(partial, reader);
    }
    partial_unlock(partial);
    return cut;
}

void partial_view_fini(struct partial_view *view)
{
    object_unref(&view->object);
    piece_unref(&view->piece);
}
