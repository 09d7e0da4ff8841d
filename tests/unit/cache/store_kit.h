/*
 * store_kit - a store in a fresh directory, and objects whose bytes follow from their key, so that
 * whatever is found can be checked without remembering what was put.
 */
#ifndef LARDER_TESTS_STORE_KIT_H
#define LARDER_TESTS_STORE_KIT_H

#include "cache/store/store.h"

#define KIT_SIZE (UINT64_C(16) << 20)

struct kit {
    char dir[64];
    uint64_t size;
    enum s3_favor favor;
    struct store *store;
};

void kit_init(struct kit *kit, uint64_t size);
void kit_reopen(struct kit *kit);
/* As reopening, and nothing of its files is in memory but what opening reads. False when the system
 * does not let go of them (tmpfs). */
bool kit_reopen_cold(struct kit *kit);
/* Lets go once more of what nobody has looked at since: the kernel reads what lies beside, too. */
void kit_cool(struct kit *kit);
/* Closes the store and removes the directory. */
void kit_fini(struct kit *kit);
/* How many names in the directory match. */
size_t kit_matches(const struct kit *kit, const char *pattern);
/* Bytes of all files in the directory: the larger of length and blocks of each. */
uint64_t kit_disk_use(const struct kit *kit);

void kit_hash(struct store *store, struct span key, uint8_t hash[STORE_HASH]);
/* The body of a key, `len` bytes; freed by the caller. */
char *kit_body(struct span key, size_t len);

/* Puts the object and waits for its end; returns what done was told. Large bodies go in chunks. */
int kit_put(struct store *store, const char *key, size_t len);
/* Queues it only. False when the store would not take it. */
bool kit_post(struct store *store, const char *key, size_t len);
/* Queues an update that changes nothing kit_check() looks at. */
void kit_update(struct store *store, const char *key);
/* store_find() by key text. */
int kit_find(struct store *store, const char *key, struct store_object *out);
/* As a loop does: what is not in memory is read, `*reads` times, and then looked for again. */
int kit_find_patiently(struct kit *kit, const char *key, struct store_object *out, int *reads);
/* Finds it, compares meta, head and body with what kit_put() writes, gives it back. 0 when all is
 * right, ERR_CORRUPT when bytes differ, or the code of store_find() or store_lend(). */
int kit_check(struct store *store, const char *key, size_t len);
/* The same for an object that is held. */
int kit_compare(struct store *store, const char *key, size_t len,
                const struct store_object *object);

/* The bytes of the file at this place are the same as in memory. */
bool kit_same_in_file(struct file_place place, struct span bytes);

/* What the process has locked in memory. */
unsigned long kit_locked_kib(void);
/* Not under sanitizers, where mlock() does nothing, and not with RLIMIT_MEMLOCK at 0. */
bool kit_may_lock(void);

/* For done: stores the result into the int it is given. */
void kit_on_done(void *arg, int err);
/* Pieces and chunk answers that came back since the start. */
unsigned kit_released(void);
unsigned kit_chunks_done(void);

#endif
