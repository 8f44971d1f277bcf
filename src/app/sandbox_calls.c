/*
 * System calls, by seccomp.
 *
 * Who speaks with strangers has a list of calls that are allowed: it is short, and what is not on
 * it is most of the kernel. A call that is neither on it nor a danger fails with ENOSYS, as on a
 * kernel that lacks it, which is what the C library and the others know how to live with: a
 * newer one may try a newer call first. What no version of any of them has cause to do (start a
 * program, look into another process, load code into the kernel) ends the process: that is an
 * attack, which shall not have a second try, and the log tells of signal 31.
 *
 * The loader, and whoever uses tokens, opens libraries that may need anything that is not a
 * danger: there the dangers fail with EPERM, and all else is let through.
 *
 * Calls are looked up by name: one that this architecture or libseccomp does not know is left
 * out. The often used ones have no conditions; for those the kernel remembers the answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "app/sandbox_parts.h"

#ifdef HAVE_SECCOMP

#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/sockios.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41   /* the C library names its memory */
#endif

static const char *const usual[] = {
    /* descriptors */
    "read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "lseek", "_llseek",
    "close", "close_range", "dup", "dup2", "dup3", "fstat", "fstat64",
    "ftruncate", "fsync", "pipe2", "eventfd2", "memfd_create",
    /* sockets that are there */
    "recv", "recvfrom", "recvmsg", "recvmmsg", "send", "sendto", "sendmsg", "sendmmsg",
    "accept", "accept4", "connect", "bind", "shutdown", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "socketpair",
    /* waiting */
    "epoll_create1", "epoll_create", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "poll", "ppoll", "select", "pselect6", "_newselect", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "nanosleep", "clock_nanosleep", "restart_syscall",
    "ppoll_time64", "pselect6_time64", "timerfd_settime64", "timerfd_gettime64",
    "clock_nanosleep_time64",
    /* time, chance, memory */
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "gettimeofday",
    "time", "getrandom", "brk", "munmap", "mremap", "madvise", "mlock", "munlock", "mincore",
    "futex", "futex_time64", "futex_waitv", "membarrier",
    /* itself */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "exit",
    "exit_group", "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid",
    "getresuid", "getresgid", "getrlimit", "ugetrlimit", "getrusage", "times", "sched_yield",
    "sched_getaffinity", "getcpu", "set_robust_list", "set_tid_address", "rseq", "uname",
    "sysinfo",
};

/* Of the monitor: files that are read, as far as Landlock has them. */
static const char *const reading[] = {
    "open", "openat", "access", "faccessat", "faccessat2", "stat", "stat64", "lstat", "lstat64",
    "newfstatat", "fstatat64", "statx", "readlink", "readlinkat", "getdents64", "getcwd",
};

static const char *const opening[] = {
    "open", "openat", "openat2", "creat", "name_to_handle_at",
};

static const char *const dangers[] = {
    /* other programs, other processes */
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise",
    "pidfd_getfd", "kcmp", "personality",
    /* the kernel, the machine */
    "bpf", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
    "reboot", "iopl", "ioperm", "modify_ldt", "settimeofday", "clock_settime", "adjtimex",
    "clock_adjtime", "swapon", "swapoff", "sethostname", "setdomainname", "syslog", "acct",
    "quotactl",
    /* what it sees of the system */
    "mount", "umount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "fsconfig",
    "fspick", "mount_setattr", "pivot_root", "chroot", "unshare", "setns", "mknod", "mknodat",
    "open_by_handle_at",
};

/* Not for the loader either, though a library may try. */
static const char *const doubtful[] = {
    "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open",
    "add_key", "request_key", "keyctl",
};

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

static int add(scmp_filter_ctx f, uint32_t action, const char *name, unsigned n,
               const struct scmp_arg_cmp *when)
{
    int nr = seccomp_syscall_resolve_name(name);
    int rc = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(f, action, nr, n, when);

    /* One of another architecture; what is so by default; what a wider rule has. */
    return rc == -EDOM || rc == -EACCES || rc == -EEXIST ? 0 : rc;
}

static int add_all(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add(f, action, names[i], 0, NULL);
    return rc;
}

/* Only with this value in that argument. */
static int add_with(scmp_filter_ctx f, const char *name, unsigned arg, uint64_t value)
{
    struct scmp_arg_cmp when = SCMP_CMP(arg, SCMP_CMP_EQ, value, 0);

    return add(f, SCMP_ACT_ALLOW, name, 1, &when);
}

/* Only without these bits in it. */
static int add_without(scmp_filter_ctx f, const char *name, unsigned arg, uint64_t bits)
{
    struct scmp_arg_cmp when = SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, bits, 0);

    return add(f, SCMP_ACT_ALLOW, name, 1, &when);
}

/* TCP, UDP to name servers, Unix sockets (services, syslog); and the list of interfaces, which
   is asked for by netlink (net/sock.c). */
static int add_sockets(scmp_filter_ctx f)
{
    static const uint64_t families[] = { AF_UNIX, AF_INET, AF_INET6 };
    struct scmp_arg_cmp interfaces[] = {
        SCMP_CMP(0, SCMP_CMP_EQ, AF_NETLINK, 0), SCMP_CMP(2, SCMP_CMP_EQ, NETLINK_ROUTE, 0),
    };
    int rc = add(f, SCMP_ACT_ALLOW, "socket", 2, interfaces);

    for (size_t i = 0; i < COUNT(families) && rc == 0; i++)
        rc = add_with(f, "socket", 0, families[i]);
    return rc;
}

/* Calls of many uses: those alone that we have. No memory becomes code. */
static int add_few_uses(scmp_filter_ctx f)
{
    static const uint64_t ioctls[] = { FIONREAD, FIONBIO, SIOCOUTQ, TCGETS, SIOCGIFINDEX };
    /* Not those that choose a signal and whom it goes to: they kill as well as kill() does. */
    static const uint64_t fcntls[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL,
                                       F_SETFL, F_ADD_SEALS, F_GET_SEALS };
    static const uint64_t prctls[] = { PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_VMA };
    struct scmp_arg_cmp empty_path = SCMP_CMP(3, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH);
    int rc = add_without(f, "mmap", 2, PROT_EXEC);

    rc = rc ? rc : add_without(f, "mmap2", 2, PROT_EXEC);
    rc = rc ? rc : add_without(f, "mprotect", 2, PROT_EXEC);
    rc = rc ? rc : add_with(f, "prlimit64", 0, 0);
    rc = rc ? rc : add_with(f, "tgkill", 0, (uint64_t)getpid());       /* abort() */
    rc = rc ? rc : add(f, SCMP_ACT_ALLOW, "newfstatat", 1, &empty_path);    /* fstat() */
    for (size_t i = 0; i < COUNT(ioctls) && rc == 0; i++)
        rc = add_with(f, "ioctl", 1, ioctls[i]);
    for (size_t i = 0; i < COUNT(fcntls) && rc == 0; i++) {
        rc = add_with(f, "fcntl", 1, fcntls[i]);
        rc = rc ? rc : add_with(f, "fcntl64", 1, fcntls[i]);
    }
    for (size_t i = 0; i < COUNT(prctls) && rc == 0; i++)
        rc = add_with(f, "prctl", 0, prctls[i]);
    return rc;
}

static int add_allowed(scmp_filter_ctx f, enum sandbox_role role)
{
    int rc = add_all(f, SCMP_ACT_ALLOW, usual, COUNT(usual));

    rc = rc ? rc : add_sockets(f);
    if (role == SANDBOX_MONITOR)
        rc = rc ? rc : add_all(f, SCMP_ACT_ALLOW, reading, COUNT(reading));
    else
        rc = rc ? rc : add_all(f, SCMP_ACT_ERRNO(EACCES), opening, COUNT(opening));
    rc = rc ? rc : add_few_uses(f);
    return rc ? rc : add_all(f, SCMP_ACT_KILL_PROCESS, dangers, COUNT(dangers));
}

/* Who needs no network has Unix sockets alone: the log, and who looks up users. */
static int add_forbidden(scmp_filter_ctx f, bool network)
{
    struct scmp_arg_cmp others = SCMP_CMP(0, SCMP_CMP_NE, AF_UNIX, 0);
    int rc = add_all(f, SCMP_ACT_ERRNO(EPERM), dangers, COUNT(dangers));

    rc = rc ? rc : add_all(f, SCMP_ACT_ERRNO(EPERM), doubtful, COUNT(doubtful));
    if (rc == 0 && !network)
        rc = add(f, SCMP_ACT_ERRNO(EPERM), "socket", 1, &others);
    return rc;
}

bool sandbox_calls_known(void)
{
    uint32_t kill = SECCOMP_RET_KILL_PROCESS;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) == 0;
}

int sandbox_calls_enter(const struct sandbox *s, enum sandbox_role role, struct err *e)
{
    bool wide = role == SANDBOX_LOADER || (role == SANDBOX_WORKER && s->tokens);

    if (!sandbox_calls_known())
        return 0;
    scmp_filter_ctx f = seccomp_init(wide ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
    if (f == NULL)
        return err_setx(e, "no filter of system calls can be made");
    int rc = wide ? add_forbidden(f, s->tokens) : add_allowed(f, role);
#if SCMP_VER_MAJOR > 2 || (SCMP_VER_MAJOR == 2 && SCMP_VER_MINOR >= 5)
    /* On kernels before 5.16 a filter would slow the processor down as well, for the sake of
       programs that run code of strangers. */
    (void)seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
#endif
    rc = rc ? rc : seccomp_load(f);
    seccomp_release(f);
    errno = -rc;
    return rc == 0 ? 0 : err_set(e, "system calls cannot be filtered");
}

#else

bool sandbox_calls_known(void)
{
    return false;
}

int sandbox_calls_enter(const struct sandbox *s, enum sandbox_role role, struct err *e)
{
    (void)s, (void)role, (void)e;
    return 0;
}

#endif
