/* spool_reader - one reader of a spool: from memory while the bytes are there, else from the store.
 */
#include "cache/spool_parts.h"

#include "base/err.h"
#include "base/mem.h"

static bool is_stored(const struct spool *spool, uint64_t offset)
{
    return offset / STORE_CHUNK < spool->stored;
}

static void release_lent(struct spool_reader *reader)
{
    if (reader->chunk) {
        chunk_unref(reader->chunk);
        reader->chunk = NULL;
    }
    ahead_close(reader->ahead);
    reader->lent = SPAN_EMPTY;
}

/* Under the lock. */
static void tell_unread(struct spool *spool)
{
    if (spool->reader_count == 0 && !spool->ended) {
        spool_wake(&spool->writer); /* without readers the writer may give up the fetch */
    }
}

void spool_note_unread(struct spool *spool)
{
    pthread_mutex_lock(&spool->lock);
    tell_unread(spool);
    pthread_mutex_unlock(&spool->lock);
}

void spool_reader_fini(struct spool_reader *reader)
{
    struct spool *spool = reader->spool;

    if (spool == NULL) {
        return;
    }
    release_lent(reader);
    ahead_free(&reader->ahead);
    pthread_mutex_lock(&spool->lock);
    list_remove(&reader->link);
    spool->reader_count--;
    spool_reader_went(spool, reader);
    spool_let_go(spool);
    tell_unread(spool);
    pthread_mutex_unlock(&spool->lock);
    spool_unref(&reader->spool);
}

/* Gives what the reader has been lent for its offset. Returns 0, with *out empty if the lent bytes
 * end before the offset; or ERR_AGAIN if they have left memory. */
static int peek_lent(struct spool_reader *reader, struct span *out)
{
    struct ahead *ahead = reader->ahead;

    *out = SPAN_EMPTY;
    if (reader->lent.len > 0) {
        *out = span_skip(reader->lent, (size_t)(reader->offset - reader->lent_at));
    }
    if (out->len == 0 || ahead->pin == NULL) {
        return 0;
    }
    return ahead_lent(ahead, reader->spool->shelf.store, ahead->pin, *out, out);
}

static int peek_stored(struct spool_reader *reader, struct span *out)
{
    struct spool *spool = reader->spool;
    struct store_chunk chunks[AHEAD_CHUNKS];
    size_t group = (size_t)(reader->offset / STORE_CHUNK);
    size_t count = 0;

    pthread_mutex_lock(&spool->lock);
    while (count < AHEAD_CHUNKS && group + count < spool->stored) {
        chunks[count] = spool->places[group + count].chunk;
        count++;
    }
    pthread_mutex_unlock(&spool->lock);
    release_lent(reader);
    CHECK(count > 0);
    ahead_need(&reader->ahead, reader->waker);
    int err = ahead_chunk(reader->ahead, spool->shelf.store, chunks, count, &reader->lent);
    if (err) { /* the bytes are being read; or they are corrupt, and the reader cannot go on */
        reader->lent = SPAN_EMPTY;
        return err;
    }
    reader->lent_at = (uint64_t)group * STORE_CHUNK;
    err = peek_lent(reader, out);
    return err || out->len > 0 ? err : ERR_CORRUPT;
}

/* Takes part from its offset on. False: bytes there have left memory, and storing has failed before
 * they were in the store. */
static bool join(struct spool_reader *reader, struct spool *spool, bool *in_memory)
{
    pthread_mutex_lock(&spool->lock);
    uint64_t begin = spool_memory_begin(spool);
    *in_memory = reader->offset >= begin;
    bool joins = *in_memory || (uint64_t)spool->stored * STORE_CHUNK >= begin;
    if (joins) {
        list_push_back(&spool->readers, &reader->link);
        spool->reader_count++;
        spool_reader_came(spool, reader);
        spool->had_reader = true;
        reader->spool = spool_ref(spool);
        spool_let_go(spool); /* a writer that has paused may have to go on for this reader */
    }
    pthread_mutex_unlock(&spool->lock);
    return joins;
}

int spool_reader_init(struct spool_reader *reader, struct spool *spool, uint64_t from, uint64_t to,
                      struct waker waker)
{
    struct span first;
    bool in_memory;

    *reader = (struct spool_reader){.offset = from, .end = to, .waker = waker};
    list_init(&reader->link);
    if (!join(reader, spool, &in_memory)) {
        return ERR_NOT_FOUND;
    }
    int err = in_memory ? 0 : peek_stored(reader, &first);
    if (err && err != ERR_AGAIN) { /* fail now, before a response head is sent */
        spool_reader_fini(reader);
        return ERR_NOT_FOUND;
    }
    return 0;
}

/* The chunk that has the reader's next byte; NULL: it has left memory. One that was lent stays the
 * same until the reader is past it, as the socket may still have to send from there. */
static struct chunk *chunk_of(const struct spool_reader *reader)
{
    struct chunk *lent = reader->chunk;
    bool has_it = lent && reader->offset >= lent->start && reader->offset < chunk_end(lent);

    return has_it ? lent : spool_chunk_at(reader->spool, reader->offset);
}

/* True: *out is set. False: *stored or *err tells more. Under the lock. */
static bool peek_memory(struct spool_reader *reader, struct span *out, bool *stored, int *err)
{
    struct spool *spool = reader->spool;

    *stored = false;
    if (reader->offset >= spool->length) {
        reader->waiting = !spool->ended;
        *err = spool->ended ? spool->err : ERR_AGAIN;
        return false;
    }
    struct chunk *chunk = chunk_of(reader);
    if (chunk == NULL) {
        *stored = is_stored(spool, reader->offset);
        *err = ERR_NOT_FOUND;
        return false;
    }
    if (chunk != reader->chunk) {
        release_lent(reader);
        reader->chunk = chunk_ref(chunk);
    }
    uint64_t end = chunk_end(chunk) < spool->length ? chunk_end(chunk) : spool->length;
    *out = span_of(chunk->data + (reader->offset - chunk->start), (size_t)(end - reader->offset));
    return true;
}

int spool_peek(struct spool_reader *reader, struct span *out)
{
    bool stored;
    int err = 0;

    *out = SPAN_EMPTY;
    if (reader->offset >= reader->end) {
        return 0;
    }
    err = peek_lent(reader, out);
    if (err) {
        return err;
    }
    if (out->len == 0) {
        pthread_mutex_lock(&reader->spool->lock);
        bool found = peek_memory(reader, out, &stored, &err);
        pthread_mutex_unlock(&reader->spool->lock);
        if (!found && stored) {
            err = peek_stored(reader, out);
            found = err == 0;
        }
        if (!found) {
            return err;
        }
    }
    uint64_t left = reader->end - reader->offset;
    *out = span_take(*out, left < out->len ? (size_t)left : out->len);
    return 0;
}

/* The pinned bytes are those of the last peek(), unless these came from memory or were copied. */
bool spool_place(const struct spool_reader *reader, struct file_place *out)
{
    const struct ahead *ahead = reader->ahead;

    if (ahead == NULL || ahead->pin == NULL || ahead->copied) {
        return false;
    }
    *out = store_place(ahead->pin,
                       span_skip(reader->lent, (size_t)(reader->offset - reader->lent_at)));
    return true;
}

void spool_advance(struct spool_reader *reader, size_t n)
{
    struct spool *spool = reader->spool;

    ahead_moved(reader->ahead);
    pthread_mutex_lock(&spool->lock);
    uint64_t before = reader->offset;
    reader->offset += n;
    CHECK(reader->offset <= spool->length);
    spool_reader_moved(spool, reader, before);
    if (reader->chunk && reader->offset >= chunk_end(reader->chunk)) {
        chunk_unref(reader->chunk);
        reader->chunk = NULL;
    }
    spool_let_go(spool);
    pthread_mutex_unlock(&spool->lock);
}
