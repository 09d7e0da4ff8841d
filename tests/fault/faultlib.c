#include "faultlib.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <time.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* <fcntl.h> gives the names below to others. */
#define O_ACCMODE_ 3
#define O_CREAT_ 0100
#define O_TRUNC_ 01000
#define O_DSYNC_ 010000
#define O_TMPFILE_BIT_ 020000000
#define AT_FDCWD_ (-100)
#define AT_REMOVEDIR_ 0x200

#define FDS 65536

/* A function of libc that is ours. With a label of its own, so that headers do not matter. */
#define INTERPOSE(type, name, ...)                                                                 \
    __attribute__((visibility("default"))) type fault_##name(__VA_ARGS__) __asm__(#name);          \
    type fault_##name(__VA_ARGS__)
#define ALSO(type, other, name, ...)                                                               \
    extern __attribute__((visibility("default"), alias(#name)))                                    \
    type fault_##other(__VA_ARGS__) __asm__(#other);

enum kind { OTHER, FILE_, DIRECTORY };

/* What a descriptor is. Written by who opens it, before anybody else knows the number. */
struct watched {
    enum kind kind;
    bool dsync;
    uint64_t ino;
    char name[FAULT_PATTERN];
};

static struct watched fds[FDS];
static struct fault_control *control;
static char dir[PATH_MAX];
static size_t dir_len;
static int journal = -1;
static uint64_t journal_len;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void attach(void)
{
    const char *where = getenv("FAULT_DIR");
    const char *block = getenv("FAULT_CONTROL");
    const char *log = getenv("FAULT_JOURNAL");

    if (!where || !block || strlen(where) >= sizeof(dir)) {
        return;
    }
    int fd = (int)syscall(SYS_openat, AT_FDCWD_, block, 2, 0);
    if (fd < 0) {
        return;
    }
    void *at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (at == MAP_FAILED || ((struct fault_control *)at)->magic != FAULT_MAGIC) {
        return;
    }
    dir_len = strlen(where);
    memcpy(dir, where, dir_len + 1);
    if (log) {
        fd = (int)syscall(SYS_openat, AT_FDCWD_, log, 02 | 0100 | 01000 | 02000, 0600);
        journal = (int)syscall(SYS_fcntl, fd, 1030 /* F_DUPFD_CLOEXEC */, FDS / 2);
        journal = journal < 0 ? fd : journal;
    }
    control = at;
    atomic_store(&control->attached, (uint32_t)getpid());
}

/* ---- what is watched ---- */

static struct watched *watch_of(int fd)
{
    return fd >= 0 && fd < FDS && fds[fd].kind != OTHER ? &fds[fd] : NULL;
}

/* The name below the directory, "" for itself; NULL when it is elsewhere. */
static const char *name_below(int at, const char *path, char room[PATH_MAX])
{
    if (!control || !path) {
        return NULL;
    }
    if (path[0] == '/') {
        bool inside = strncmp(path, dir, dir_len) == 0 && (path[dir_len] == '/' || !path[dir_len]);
        return inside ? path + dir_len + (path[dir_len] == '/') : NULL;
    }
    const struct watched *base = at == AT_FDCWD_ ? NULL : watch_of(at);
    if (!base || base->kind != DIRECTORY) {
        return NULL;
    }
    if (strcmp(path, ".") == 0) {
        return base->name;
    }
    size_t len = strlen(base->name);
    if (len + strlen(path) + 2 > PATH_MAX) {
        return NULL;
    }
    memcpy(room, base->name, len);
    strcpy(room + len + (len > 0), path);
    if (len > 0) {
        room[len] = '/';
    }
    return room;
}

/* ---- rules ---- */

static uint32_t roll(void)
{
    uint64_t seed = atomic_fetch_add(&control->random, UINT64_C(0x9e3779b97f4a7c15));

    seed = (seed ^ (seed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    seed = (seed ^ (seed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(seed >> 40) & 0xffff;
}

static bool take(_Atomic uint32_t *left)
{
    uint32_t now = atomic_load(left);

    while (now > 0 && now != UINT32_MAX) {
        if (atomic_compare_exchange_weak(left, &now, now - 1)) {
            return true;
        }
    }
    return now == UINT32_MAX;
}

static bool strikes(struct fault_rule *rule, enum fault_call call, const char *name)
{
    if (!atomic_load_explicit(&rule->armed, memory_order_acquire) || !(rule->calls >> call & 1) ||
        fnmatch(rule->pattern, name, 0) != 0) {
        return false;
    }
    uint32_t skip = atomic_load(&rule->skip);
    if (skip > 0 && take(&rule->skip)) {
        return false;
    }
    return (rule->chance >= 65536 || roll() < rule->chance) && take(&rule->count);
}

static void rest(uint32_t us)
{
    struct {
        int64_t seconds, nanoseconds;
    } pause = {us / 1000000, (int64_t)(us % 1000000) * 1000};

    if (us) {
        syscall(SYS_nanosleep, &pause, NULL);
    }
}

/* The rule that strikes this call, after its delay; NULL when the call is to be made as it is. */
static struct fault_rule *fault(enum fault_call call, const char *name)
{
    atomic_fetch_add_explicit(&control->calls[call], 1, memory_order_relaxed);
    for (int i = 0; i < FAULT_RULES; i++) {
        struct fault_rule *rule = &control->rules[i];
        if (strikes(rule, call, name)) {
            atomic_fetch_add(&rule->struck, 1);
            rest(rule->delay_us);
            return rule->effect == FAULT_SLOW ? NULL : rule;
        }
    }
    return NULL;
}

static bool fails(const struct fault_rule *rule)
{
    return rule && rule->effect == FAULT_FAIL;
}

/* `result` of the call that was made, or the error that is said instead. */
static long after(const struct fault_rule *rule, long result)
{
    if (rule && (rule->effect == FAULT_FAIL_AFTER || rule->effect == FAULT_FAIL)) {
        errno = (int)rule->error;
        return -1;
    }
    return result;
}

static size_t cut(const struct fault_rule *rule, size_t len)
{
    return rule && rule->effect == FAULT_SHORT && len > 1 ? len / 2 : len;
}

/* ---- the journal ---- */

/* Under the lock. Returns the length of the journal behind the record. */
static uint64_t note(enum fault_op op, uint64_t ino, uint64_t offset, const struct iovec *parts,
                     int count, size_t len)
{
    struct fault_record record = {(uint32_t)op, (uint32_t)len, ino, offset};
    struct iovec all[66] = {{&record, sizeof(record)}};
    int used = 1;

    for (int i = 0; i < count && len > 0 && used < 66; i++) {
        size_t piece = parts[i].iov_len < len ? parts[i].iov_len : len;
        all[used++] = (struct iovec){parts[i].iov_base, piece};
        len -= piece;
    }
    long wrote = syscall(SYS_writev, journal, all, used);
    if (wrote != (long)(sizeof(record) + record.len)) {
        abort(); /* what is built from it would mean nothing */
    }
    journal_len += (uint64_t)wrote;
    return journal_len;
}

static void note_text(enum fault_op op, uint64_t ino, const char *text, size_t len)
{
    char copy[2 * FAULT_PATTERN];
    struct iovec part = {copy, len < sizeof(copy) ? len : sizeof(copy)};

    if (journal >= 0) {
        memcpy(copy, text, part.iov_len);
        note(op, ino, 0, &part, 1, part.iov_len);
    }
}

static uint64_t journal_here(void)
{
    pthread_mutex_lock(&lock);
    uint64_t here = journal_len;
    pthread_mutex_unlock(&lock);
    return here;
}

/* ---- opening ---- */

static void remember(int fd, const char *name, int flags, bool is_new)
{
    struct stat file;

    if (fd >= FDS || fstat(fd, &file) != 0 || strlen(name) >= FAULT_PATTERN) {
        return;
    }
    fds[fd].dsync = (flags & O_DSYNC_) != 0;
    fds[fd].ino = file.st_ino;
    strcpy(fds[fd].name, name);
    fds[fd].kind = S_ISDIR(file.st_mode) ? DIRECTORY : S_ISREG(file.st_mode) ? FILE_ : OTHER;
    if (is_new && S_ISREG(file.st_mode)) {
        note_text(JOURNAL_CREATE, file.st_ino, name, strlen(name));
    }
}

static int open_watched(int at, const char *path, const char *name, int flags, unsigned mode)
{
    struct fault_rule *rule = fault(FAULT_OPEN, name);

    if (fails(rule)) {
        return (int)after(rule, -1);
    }
    pthread_mutex_lock(&lock);
    bool is_new = flags & O_CREAT_ && syscall(SYS_faccessat, at, path, 0) != 0;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0) {
        remember(fd, name, flags, is_new);
        if (flags & O_TRUNC_ && !is_new && journal >= 0) {
            note(JOURNAL_SIZE, fds[fd].ino, 0, NULL, 0, 0);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static int open_any(int at, const char *path, int flags, unsigned mode)
{
    char room[PATH_MAX];
    const char *name = name_below(at, path, room);

    return name ? open_watched(at, path, name, flags, mode)
                : (int)syscall(SYS_openat, at, path, flags, mode);
}

static unsigned mode_of(int flags, va_list list)
{
    return flags & (O_CREAT_ | O_TMPFILE_BIT_) ? va_arg(list, unsigned) : 0;
}

INTERPOSE(int, open, const char *path, int flags, ...)
{
    va_list list;

    va_start(list, flags);
    unsigned mode = mode_of(flags, list);
    va_end(list);
    return open_any(AT_FDCWD_, path, flags, mode);
}
ALSO(int, open64, open, const char *path, int flags, ...)

INTERPOSE(int, openat, int at, const char *path, int flags, ...)
{
    va_list list;

    va_start(list, flags);
    unsigned mode = mode_of(flags, list);
    va_end(list);
    return open_any(at, path, flags, mode);
}
ALSO(int, openat64, openat, int at, const char *path, int flags, ...)

INTERPOSE(int, __open_2, const char *path, int flags)
{
    return open_any(AT_FDCWD_, path, flags, 0);
}
ALSO(int, __open64_2, __open_2, const char *path, int flags)

INTERPOSE(int, __openat_2, int at, const char *path, int flags)
{
    return open_any(at, path, flags, 0);
}
ALSO(int, __openat64_2, __openat_2, int at, const char *path, int flags)

INTERPOSE(int, close, int fd)
{
    if (fd >= 0 && fd < FDS) {
        fds[fd].kind = OTHER;
    }
    return (int)syscall(SYS_close, fd);
}

/* ---- reading ---- */

INTERPOSE(ssize_t, read, int fd, void *at, size_t len)
{
    const struct watched *file = watch_of(fd);
    struct fault_rule *rule = file ? fault(FAULT_READ, file->name) : NULL;

    return fails(rule) ? after(rule, -1) : after(rule, syscall(SYS_read, fd, at, cut(rule, len)));
}

INTERPOSE(ssize_t, __read_chk, int fd, void *at, size_t len, size_t room)
{
    return len <= room ? fault_read(fd, at, len) : -1;
}

INTERPOSE(ssize_t, pread, int fd, void *at, size_t len, off_t offset)
{
    const struct watched *file = watch_of(fd);
    struct fault_rule *rule = file ? fault(FAULT_PREAD, file->name) : NULL;

    return fails(rule) ? after(rule, -1)
                       : after(rule, syscall(SYS_pread64, fd, at, cut(rule, len), offset));
}
ALSO(ssize_t, pread64, pread, int fd, void *at, size_t len, off_t offset)

INTERPOSE(ssize_t, __pread64_chk, int fd, void *at, size_t len, off_t offset, size_t room)
{
    return len <= room ? fault_pread(fd, at, len, offset) : -1;
}
ALSO(ssize_t, __pread_chk, __pread64_chk, int fd, void *at, size_t len, off_t offset, size_t room)

INTERPOSE(ssize_t, preadv2, int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    const struct watched *file = watch_of(fd);
    struct fault_rule *rule = file ? fault(FAULT_PREAD, file->name) : NULL;

    return fails(rule) ? after(rule, -1)
                       : after(rule, syscall(SYS_preadv2, fd, parts, cut(rule, (size_t)count),
                                             offset, 0, flags));
}
ALSO(ssize_t, preadv64v2, preadv2, int fd, const struct iovec *parts, int count, off_t offset,
     int flags)

INTERPOSE(ssize_t, preadv, int fd, const struct iovec *parts, int count, off_t offset)
{
    return fault_preadv2(fd, parts, count, offset, 0);
}
ALSO(ssize_t, preadv64, preadv, int fd, const struct iovec *parts, int count, off_t offset)

INTERPOSE(ssize_t, sendfile, int to, int fd, off_t *offset, size_t len)
{
    const struct watched *file = watch_of(fd);
    struct fault_rule *rule = file ? fault(FAULT_SENDFILE, file->name) : NULL;

    return fails(rule) ? after(rule, -1)
                       : after(rule, syscall(SYS_sendfile, to, fd, offset, cut(rule, len)));
}
ALSO(ssize_t, sendfile64, sendfile, int to, int fd, off_t *offset, size_t len)

INTERPOSE(int, mincore, void *at, size_t len, unsigned char *pages)
{
    struct fault_rule *rule = control ? fault(FAULT_MINCORE, "") : NULL;
    long result = fails(rule) ? -1 : syscall(SYS_mincore, at, len, pages);

    if (rule && rule->effect == FAULT_COLD && result == 0) {
        memset(pages, 0, (len + 4095) / 4096);
    }
    return (int)after(rule, result);
}

INTERPOSE(void *, mmap, void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    const struct watched *file = flags & MAP_ANONYMOUS ? NULL : watch_of(fd);
    struct fault_rule *rule = file ? fault(FAULT_MMAP, file->name) : NULL;

    if (fails(rule)) {
        errno = (int)rule->error;
        return MAP_FAILED;
    }
    long result = syscall(SYS_mmap, at, len, prot, flags, fd, offset);
    return (void *)(uintptr_t)result; /* -1 is MAP_FAILED */
}
ALSO(void *, mmap64, mmap, void *at, size_t len, int prot, int flags, int fd, off_t offset)

/* ---- writing ---- */

/* Makes the call between what the journal needs to know. At -1: the descriptor's own position. */
static ssize_t put(int fd, const struct iovec *parts, int count, size_t len, off_t at)
{
    const struct watched *file = &fds[fd];
    uint64_t behind = 0;

    if (journal >= 0) {
        off_t where = at >= 0 ? at : syscall(SYS_lseek, fd, 0, SEEK_CUR);
        pthread_mutex_lock(&lock);
        behind = note(JOURNAL_WRITE, file->ino, (uint64_t)where, parts, count, len);
        pthread_mutex_unlock(&lock);
    }
    struct iovec cut_parts[64];
    int used = 0;
    size_t left = len;
    for (int i = 0; i < count && left > 0 && used < 64; i++) {
        size_t piece = parts[i].iov_len < left ? parts[i].iov_len : left;
        cut_parts[used++] = (struct iovec){parts[i].iov_base, piece};
        left -= piece;
    }
    ssize_t done = at >= 0 ? syscall(SYS_pwritev, fd, cut_parts, used, at, 0)
                           : syscall(SYS_writev, fd, cut_parts, used);
    if (done >= 0 && file->dsync && journal >= 0) {
        pthread_mutex_lock(&lock);
        note(JOURNAL_DSYNC, file->ino, behind, NULL, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    return done;
}

static ssize_t write_watched(enum fault_call call, int fd, const struct iovec *parts, int count,
                             off_t at)
{
    struct fault_rule *rule = fault(call, fds[fd].name);
    size_t len = 0;

    count = count > 64 ? 64 : count; /* a short write is allowed; LMDB has 64 at most */
    for (int i = 0; i < count; i++) {
        len += parts[i].iov_len;
    }
    return fails(rule) ? after(rule, -1) : after(rule, put(fd, parts, count, cut(rule, len), at));
}

/* For struct iovec, which does not know that nobody writes there. */
static void *unconst(const void *at)
{
    void *pointer;

    memcpy(&pointer, &at, sizeof(pointer));
    return pointer;
}

INTERPOSE(ssize_t, write, int fd, const void *at, size_t len)
{
    struct iovec part = {unconst(at), len};

    return watch_of(fd) ? write_watched(FAULT_WRITE, fd, &part, 1, -1)
                        : syscall(SYS_write, fd, at, len);
}

INTERPOSE(ssize_t, writev, int fd, const struct iovec *parts, int count)
{
    return watch_of(fd) ? write_watched(FAULT_WRITE, fd, parts, count, -1)
                        : syscall(SYS_writev, fd, parts, count);
}

INTERPOSE(ssize_t, pwrite, int fd, const void *at, size_t len, off_t offset)
{
    struct iovec part = {unconst(at), len};

    return watch_of(fd) ? write_watched(FAULT_PWRITE, fd, &part, 1, offset)
                        : syscall(SYS_pwrite64, fd, at, len, offset);
}
ALSO(ssize_t, pwrite64, pwrite, int fd, const void *at, size_t len, off_t offset)

INTERPOSE(ssize_t, pwritev, int fd, const struct iovec *parts, int count, off_t offset)
{
    return watch_of(fd) ? write_watched(FAULT_PWRITE, fd, parts, count, offset)
                        : syscall(SYS_pwritev, fd, parts, count, offset, 0);
}
ALSO(ssize_t, pwritev64, pwritev, int fd, const struct iovec *parts, int count, off_t offset)

/* ---- syncing ---- */

static int sync_any(enum fault_call call, long number, int fd)
{
    const struct watched *file = watch_of(fd);

    if (!file) {
        return (int)syscall(number, fd);
    }
    struct fault_rule *rule = fault(call, file->name);
    uint64_t before = journal_here();
    long result = fails(rule) ? -1 : syscall(number, fd);
    bool good = after(rule, result) == 0;
    if (journal >= 0) {
        int saved = errno;
        pthread_mutex_lock(&lock);
        note(!good                     ? JOURNAL_LOST
             : file->kind == DIRECTORY ? JOURNAL_DIRSYNC
                                       : JOURNAL_SYNC,
             file->ino, before, NULL, 0, 0);
        pthread_mutex_unlock(&lock);
        errno = saved;
    }
    return good ? 0 : -1;
}

INTERPOSE(int, fsync, int fd)
{
    return sync_any(FAULT_FSYNC, SYS_fsync, fd);
}

INTERPOSE(int, fdatasync, int fd)
{
    return sync_any(FAULT_FDATASYNC, SYS_fdatasync, fd);
}

INTERPOSE(int, msync, void *at, size_t len, int flags)
{
    struct fault_rule *rule = control ? fault(FAULT_MSYNC, "") : NULL;

    return (int)after(rule, fails(rule) ? -1 : syscall(SYS_msync, at, len, flags));
}

/* ---- lengths ---- */

static int resize(uint64_t ino, const struct fault_rule *rule, off_t len, long result)
{
    if (result == 0 && journal >= 0) {
        pthread_mutex_lock(&lock);
        note(JOURNAL_SIZE, ino, (uint64_t)len, NULL, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    return (int)after(rule, result);
}

INTERPOSE(int, ftruncate, int fd, off_t len)
{
    const struct watched *file = watch_of(fd);

    if (!file) {
        return (int)syscall(SYS_ftruncate, fd, len);
    }
    struct fault_rule *rule = fault(FAULT_TRUNCATE, file->name);
    return fails(rule) ? (int)after(rule, -1)
                       : resize(file->ino, rule, len, syscall(SYS_ftruncate, fd, len));
}
ALSO(int, ftruncate64, ftruncate, int fd, off_t len)

INTERPOSE(int, truncate, const char *path, off_t len)
{
    char room[PATH_MAX];
    const char *name = name_below(AT_FDCWD_, path, room);
    struct stat file;

    if (!name || stat(path, &file) != 0) {
        return (int)syscall(SYS_truncate, path, len);
    }
    struct fault_rule *rule = fault(FAULT_TRUNCATE, name);
    return fails(rule) ? (int)after(rule, -1)
                       : resize(file.st_ino, rule, len, syscall(SYS_truncate, path, len));
}
ALSO(int, truncate64, truncate, const char *path, off_t len)

static int allocate(int fd, int mode, off_t at, off_t len)
{
    const struct watched *file = watch_of(fd);
    struct fault_rule *rule = file ? fault(FAULT_FALLOCATE, file->name) : NULL;

    if (fails(rule)) {
        return (int)after(rule, -1);
    }
    long result = syscall(SYS_fallocate, fd, mode, at, len);
    if (file && result == 0 && !(mode & 1)) {
        struct stat now;
        return fstat(fd, &now) == 0 ? resize(file->ino, rule, now.st_size, 0) : -1;
    }
    return (int)after(rule, result);
}

INTERPOSE(int, fallocate, int fd, int mode, off_t at, off_t len)
{
    return allocate(fd, mode, at, len);
}
ALSO(int, fallocate64, fallocate, int fd, int mode, off_t at, off_t len)

INTERPOSE(int, posix_fallocate, int fd, off_t at, off_t len)
{
    int saved = errno;
    int result = allocate(fd, 0, at, len) == 0 ? 0 : errno;

    errno = saved;
    return result;
}
ALSO(int, posix_fallocate64, posix_fallocate, int fd, off_t at, off_t len)

/* ---- names ---- */

static int remove_any(int at, const char *path, int flags)
{
    char room[PATH_MAX];
    const char *name = name_below(at, path, room);

    if (!name) {
        return (int)syscall(SYS_unlinkat, at, path, flags);
    }
    struct fault_rule *rule = fault(FAULT_UNLINK, name);
    if (fails(rule)) {
        return (int)after(rule, -1);
    }
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_unlinkat, at, path, flags);
    if (result == 0 && !(flags & AT_REMOVEDIR_)) {
        note_text(JOURNAL_UNLINK, 0, name, strlen(name));
    }
    pthread_mutex_unlock(&lock);
    return (int)after(rule, result);
}

INTERPOSE(int, unlink, const char *path)
{
    return remove_any(AT_FDCWD_, path, 0);
}

INTERPOSE(int, unlinkat, int at, const char *path, int flags)
{
    return remove_any(at, path, flags);
}

static void rename_watched(const char *from, const char *to)
{
    char both[2 * FAULT_PATTERN];
    size_t len = strlen(from) + 1 + strlen(to);

    if (len < sizeof(both)) {
        strcpy(both, from);
        strcpy(both + strlen(from) + 1, to);
        note_text(JOURNAL_RENAME, 0, both, len);
    }
    for (int fd = 0; fd < FDS; fd++) { /* rules go by the new name */
        if (fds[fd].kind == FILE_ && strcmp(fds[fd].name, from) == 0 &&
            strlen(to) < FAULT_PATTERN) {
            strcpy(fds[fd].name, to);
        }
    }
}

INTERPOSE(int, renameat2, int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    char from_room[PATH_MAX], to_room[PATH_MAX];
    const char *from_name = name_below(from_at, from, from_room);
    const char *to_name = name_below(to_at, to, to_room);

    if (!from_name || !to_name) {
        return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    }
    struct fault_rule *rule = fault(FAULT_RENAME, from_name);
    if (fails(rule)) {
        return (int)after(rule, -1);
    }
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    if (result == 0) {
        rename_watched(from_name, to_name);
    }
    pthread_mutex_unlock(&lock);
    return (int)after(rule, result);
}

INTERPOSE(int, rename, const char *from, const char *to)
{
    return fault_renameat2(AT_FDCWD_, from, AT_FDCWD_, to, 0);
}

INTERPOSE(int, renameat, int from_at, const char *from, int to_at, const char *to)
{
    return fault_renameat2(from_at, from, to_at, to, 0);
}

/* ---- clocks: the monotonic ones are right ---- */

static int64_t wall_shift_ms(void)
{
    return control ? atomic_load_explicit(&control->wall_ms, memory_order_relaxed) : 0;
}

INTERPOSE(int, clock_gettime, clockid_t id, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, id, now);

    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ms = wall_shift_ms() + now->tv_sec * 1000 + now->tv_nsec / 1000000;
        ms = ms < 0 ? 0 : ms;
        now->tv_sec = ms / 1000;
        now->tv_nsec = ms % 1000 * 1000000 + now->tv_nsec % 1000000;
    }
    return result;
}

INTERPOSE(int, gettimeofday, struct timeval *now, void *zone)
{
    struct timespec exact;

    (void)zone;
    fault_clock_gettime(CLOCK_REALTIME, &exact);
    *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
    return 0;
}

INTERPOSE(time_t, time, time_t *out)
{
    struct timespec exact;

    fault_clock_gettime(CLOCK_REALTIME, &exact);
    if (out) {
        *out = exact.tv_sec;
    }
    return exact.tv_sec;
}
