/*
 * faultlib - a layer under the calls that a store makes, preloaded into a program under test.
 *
 * Watches the files below one directory ($FAULT_DIR). A control block in shared memory
 * ($FAULT_CONTROL, a file that the test maps as well) says while the program runs which calls fail,
 * how, and how often, and by how much the wall clock is wrong. With $FAULT_JOURNAL every change to
 * the watched files is written down, so that the test can build what a power loss at any moment
 * might have left. tests/fault/layer.py and tests/fault/powerloss.py read and write these structs.
 *
 * Everything goes to the kernel by syscall(2), so no other library is under us or over us.
 * Any thread.
 */
#ifndef LARDER_TESTS_FAULTLIB_H
#define LARDER_TESTS_FAULTLIB_H

#include <stdatomic.h>
#include <stdint.h>

#define FAULT_MAGIC 0x544c4146u /* "FALT" */
#define FAULT_RULES 16
#define FAULT_PATTERN 64

/* The names that a test uses, and the bits of fault_rule.calls, in order. */
/* clang-format off */
#define FAULT_CALLS(X)                                                                            \
    X(OPEN) X(READ) X(PREAD) X(WRITE) X(PWRITE) X(FSYNC) X(FDATASYNC) X(MSYNC) X(TRUNCATE)         \
    X(FALLOCATE) X(RENAME) X(UNLINK) X(SENDFILE) X(MINCORE) X(MMAP)
/* clang-format on */

enum fault_call {
#define FAULT_ENUM(name) FAULT_##name,
    FAULT_CALLS(FAULT_ENUM)
#undef FAULT_ENUM
};

enum fault_effect {
    FAULT_FAIL,       /* the call is not made; its error is `error` */
    FAULT_FAIL_AFTER, /* the call is made, and said to have failed */
    FAULT_SHORT,      /* half of it is read or written */
    FAULT_SLOW,       /* only the delay */
    FAULT_COLD,       /* mincore(): nothing is in memory */
};

/* A test fills it in and sets `armed` last. */
struct fault_rule {
    _Atomic uint32_t armed;
    uint32_t calls; /* bits of enum fault_call */
    uint32_t error; /* errno */
    uint32_t effect;
    _Atomic uint32_t skip;  /* so many matching calls are spared first */
    _Atomic uint32_t count; /* then it strikes so often; UINT32_MAX: for ever */
    uint32_t chance;        /* of 65536, for each call that is left */
    uint32_t delay_us;
    _Atomic uint32_t struck; /* so often it did */
    uint32_t reserved[7];
    char pattern[FAULT_PATTERN]; /* fnmatch(3), against the name below $FAULT_DIR */
};

struct fault_control {
    uint32_t magic;
    _Atomic uint32_t attached; /* the layer is there */
    _Atomic int64_t wall_ms;   /* added to what the wall clock says */
    _Atomic uint64_t random;
    _Atomic uint64_t calls[32]; /* watched calls so far */
    struct fault_rule rules[FAULT_RULES];
};

/* ---- the journal: records one behind the other, each followed by `len` bytes ---- */

enum fault_op {
    JOURNAL_WRITE = 1, /* at `offset`: the bytes */
    JOURNAL_SYNC,    /* `offset`: of the records before that many bytes of journal, all of `ino` */
    JOURNAL_LOST,    /* the same, but it failed: what it was to sync may be gone for good */
    JOURNAL_SIZE,    /* `offset`: the new length */
    JOURNAL_CREATE,  /* the name, of a new empty file */
    JOURNAL_UNLINK,  /* the name */
    JOURNAL_RENAME,  /* old name, NUL, new name */
    JOURNAL_DIRSYNC, /* `offset` as in SYNC, all names of the directory */
    JOURNAL_DSYNC,   /* `offset` (as in SYNC): the one WRITE record that ends there */
};

struct fault_record {
    uint32_t op;
    uint32_t len;
    uint64_t ino;
    uint64_t offset;
};

#endif
