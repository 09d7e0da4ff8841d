/*
 * The filter gives one of three answers. A call in `allowed` is made. A call in `attacks` ends the
 * process: our code never makes it, so an attacker does. Every other call fails with ENOSYS, as on
 * an older kernel: a library newer than this list then uses its fallback, whereas it would report
 * EPERM as an error. So a list that is too short does no harm. clone3() is not allowed: its flags
 * are in memory, which a filter cannot read. So threads are created by clone(), and processes
 * cannot be created at all.
 *
 * Calls of the hot path are allowed with any arguments: for those the kernel (5.11 or newer) caches
 * the answer in a bitmap and does not run the filter. Arguments are checked for calls that can also
 * be misused: mmap() and mprotect() (memory that is both writable and executable), socket()
 * (address families), clone(), ioctl() (no input into terminals), prctl() and tgkill() (only this
 * process).
 */
#include "base/sandbox_calls.h"

#include <asm/prctl.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* names of mappings: the C library gives some */
#endif

/* System calls by name. Names that this architecture or this version of libseccomp does not know
 * are skipped. */
static const char *const allowed[] = {
    /* made for each request */
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_ctl",
    "read",
    "write",
    "readv",
    "writev",
    "sendfile",
    "sendfile64",
    "recvmsg",
    "sendmsg",
    "recvfrom",
    "sendto",
    "recvmmsg",
    "recvmmsg_time64",
    "sendmmsg",
    "recv",
    "send",
    "accept4",
    "accept",
    "close",
    "shutdown",
    "futex",
    "futex_time64",
    "setsockopt",
    "getsockopt",
    "getpeername",
    "getsockname",
    "mincore",
    "madvise",
    "clock_gettime",
    "clock_gettime64",
    "gettimeofday",
    "time",
    /* connections to others */
    "connect",
    "bind",
    "listen",
    "socketpair",
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "_newselect",
    "pselect6",
    "pselect6_time64",
    "splice",
    "pipe",
    "pipe2",
    "eventfd2",
    "epoll_create",
    "epoll_create1",
    /* files: the store, logs, configuration */
    "open",
    "openat",
    "openat2",
    "close_range",
    "lseek",
    "_llseek",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "copy_file_range",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "sync_file_range2",
    "msync",
    "ftruncate",
    "ftruncate64",
    "truncate",
    "truncate64",
    "fallocate",
    "fadvise64",
    "fadvise64_64",
    "arm_fadvise64_64",
    "readahead",
    "flock",
    "fcntl",
    "fcntl64",
    "dup",
    "dup2",
    "dup3",
    "umask",
    "fchmod",
    "stat",
    "stat64",
    "fstat",
    "fstat64",
    "lstat",
    "lstat64",
    "newfstatat",
    "fstatat64",
    "statx",
    "statfs",
    "statfs64",
    "fstatfs",
    "fstatfs64",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents",
    "getdents64",
    "getcwd",
    "mkdir",
    "mkdirat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "utimensat",
    "utimensat_time64",
    /* memory */
    "brk",
    "munmap",
    "mremap",
    "mlock",
    "mlock2",
    "munlock",
    "membarrier",
    "getrandom",
    "cacheflush",
    "riscv_flush_icache",
    "arm_sync_file_range",
    /* threads, signals, times */
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "set_thread_area",
    "set_tls",
    "get_thread_area",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "getpriority",
    "setpriority",
    "ioprio_set",
    "exit",
    "exit_group",
    "restart_syscall",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "rt_sigsuspend",
    "sigaltstack",
    "sigreturn",
    "clock_getres",
    "clock_getres_time64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "nanosleep",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_settime64",
    "timerfd_gettime",
    "getcpu",
    /* identity and resource usage of the process */
    "gettid",
    "getpid",
    "getppid",
    "getuid",
    "getuid32",
    "geteuid",
    "geteuid32",
    "getgid",
    "getgid32",
    "getegid",
    "getegid32",
    "getresuid",
    "getresgid",
    "getgroups",
    "capget",
    "uname",
    "sysinfo",
    "getrusage",
    "times",
    "getrlimit",
    "ugetrlimit",
    "setrlimit",
    "prlimit64",
};

static const char *const attacks[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "fsconfig",
    "fspick",
    "mount_setattr",
    "chroot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "quotactl_fd",
    "setns",
    "unshare",
    "open_by_handle_at",
    "name_to_handle_at",
    "add_key",
    "request_key",
    "keyctl",
    "iopl",
    "ioperm",
    "modify_ldt",
    "personality",
    "vhangup",
    "syslog",
    "settimeofday",
    "clock_settime",
    "clock_settime64",
    "stime",
    "sethostname",
    "setdomainname",
    "fork",
    "vfork",
    "lookup_dcookie",
    "uselib",
    "_sysctl",
    "nfsservctl",
};

/* A condition under which a call is allowed: (argument & mask) == value. */
struct argument_rule {
    const char *call;
    unsigned argument;
    uint64_t mask, value;
};

#define EXACT UINT32_MAX /* the upper half of a register that holds an int is undefined */
enum { WRITE_EXEC = PROT_WRITE | PROT_EXEC };

/* clang-format off */
static const struct argument_rule argument_rules[] = {
    {"mmap", 2, WRITE_EXEC, 0},
    {"mmap", 2, WRITE_EXEC, PROT_WRITE},
    {"mmap", 2, WRITE_EXEC, PROT_EXEC}, /* libraries loaded late, such as NSS modules and OpenSSL engines */
    {"mmap2", 2, WRITE_EXEC, 0},
    {"mmap2", 2, WRITE_EXEC, PROT_WRITE},
    {"mmap2", 2, WRITE_EXEC, PROT_EXEC},
    {"mprotect", 2, PROT_EXEC, 0},
    {"socket", 0, EXACT, AF_UNIX},
    {"socket", 0, EXACT, AF_INET},
    {"socket", 0, EXACT, AF_INET6},
    {"socket", 0, EXACT, AF_NETLINK}, /* lists the addresses of this machine */
    {"ioctl", 1, EXACT, FIONBIO},
    {"ioctl", 1, EXACT, FIOCLEX},
    {"ioctl", 1, EXACT, FIONREAD},
    {"ioctl", 1, EXACT, TCGETS}, /* isatty() */
    {"ioctl", 1, EXACT, TIOCGWINSZ},
    {"ioctl", 1, EXACT, SIOCGIFNAME},
    {"ioctl", 1, EXACT, SIOCGIFINDEX},
    {"ioctl", 1, EXACT, SIOCGIFFLAGS},
    {"ioctl", 1, EXACT, SIOCGSTAMP},
    {"prctl", 0, EXACT, PR_SET_NAME},
    {"prctl", 0, EXACT, PR_GET_NAME},
    {"prctl", 0, EXACT, PR_SET_VMA},
};
/* clang-format on */

static int resolve(const char *name)
{
    return seccomp_syscall_resolve_name(name);
}

/* The index of clone()'s argument with the flags depends on the architecture. */
#if defined(__s390__) || defined(__s390x__)
enum { CLONE_FLAGS_AT = 1 };
#else
enum { CLONE_FLAGS_AT = 0 };
#endif

static int add_argument_rule(scmp_filter_ctx filter, const struct argument_rule *rule)
{
    int call = resolve(rule->call);

    return call == __NR_SCMP_ERROR ? 0
                                   : seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                                                      SCMP_CMP(rule->argument, SCMP_CMP_MASKED_EQ,
                                                               rule->mask, rule->value));
}

static int add_argument_rules(scmp_filter_ctx filter)
{
    const struct argument_rule own[] = {
        {"clone", CLONE_FLAGS_AT, CLONE_THREAD, CLONE_THREAD},
        {"tgkill", 0, EXACT, (uint64_t)getpid()}, /* abort() */
    };
    int err = 0;

    for (size_t i = 0; i < sizeof(own) / sizeof(*own) && !err; i++) {
        err = add_argument_rule(filter, &own[i]);
    }
    for (size_t i = 0; i < sizeof(argument_rules) / sizeof(*argument_rules) && !err; i++) {
        err = add_argument_rule(filter, &argument_rules[i]);
    }
    return err;
}

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names,
                     size_t count)
{
    int err = 0;

    for (size_t i = 0; i < count && !err; i++) {
        int call = resolve(names[i]);
        err = call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, action, call, 0);
        err = err == -EDOM ? 0 : err; /* the call belongs to another architecture */
    }
    return err;
}

/* The actions for a call that is not allowed, and for one that only an attack makes. */
struct verdict {
    uint32_t other, attack;
};

static struct verdict verdict_of(enum sandbox_mode mode)
{
    switch (mode) {
    case SANDBOX_ON:
        break;
    case SANDBOX_OFF:
    case SANDBOX_LOG:
        return (struct verdict){SCMP_ACT_LOG, SCMP_ACT_LOG};
    case SANDBOX_STRICT:
        return (struct verdict){SCMP_ACT_TRAP, SCMP_ACT_TRAP};
    }
    return (struct verdict){SCMP_ACT_ERRNO(ENOSYS), SCMP_ACT_KILL_PROCESS};
}

/* The C library tries clone3() first for each new thread and then falls back to clone(), so this
 * call is no sign of an attack. */
static const char *const tried[] = {"clone3"};

static int fill(scmp_filter_ctx filter, const struct verdict *verdict)
{
    int err = add_names(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(*allowed));

    err = err ? err : add_argument_rules(filter);
    if (!err && verdict->other == SCMP_ACT_TRAP) {
        err = add_names(filter, SCMP_ACT_ERRNO(ENOSYS), tried, sizeof(tried) / sizeof(*tried));
    }
    if (!err && verdict->attack != verdict->other) {
        err = add_names(filter, verdict->attack, attacks, sizeof(attacks) / sizeof(*attacks));
    }
    return err;
}

int sandbox_filter(enum sandbox_mode mode)
{
    struct verdict verdict = verdict_of(mode);
    scmp_filter_ctx filter = seccomp_init(verdict.other);

    if (!filter) {
        return -ENOMEM;
    }
    int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    /* The filter is a binary tree instead of a list. The mitigation of speculative store bypass
     * stays off, as it slows down all memory accesses and no foreign code runs here. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, verdict.attack);
    err = err ? err : fill(filter, &verdict);
    err = err ? err : seccomp_load(filter);
    seccomp_release(filter);
    return err;
}
