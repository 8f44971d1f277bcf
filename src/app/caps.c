#include "app/caps.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(cap) (1ull << (cap))

#define READER (BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_SETUID) | BIT(CAP_SETGID))
#define WRITER (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER))
#define MASTER (READER | WRITER | BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE) \
                | BIT(CAP_NET_ADMIN))

/* The three sets, in two halves each, as the kernel has them. */
struct sets {
    struct __user_cap_data_struct half[2];
};

static struct __user_cap_header_struct header(void)
{
    return (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
}

static uint64_t whole(uint32_t low, uint32_t high)
{
    return low | (uint64_t)high << 32;
}

static bool is_root_like(const struct sets *s)
{
    return whole(s->half[0].permitted, s->half[1].permitted) != 0;
}

static void cut(struct sets *s, uint64_t keep)
{
    for (int i = 0; i < 2; i++) {
        uint32_t part = (uint32_t)(keep >> (32 * i));
        s->half[i].permitted &= part;
        s->half[i].effective &= part;
        s->half[i].inheritable &= part;
    }
}

static int keep_only(uint64_t keep)
{
    struct __user_cap_header_struct h = header();
    struct sets s;

    if (syscall(SYS_capget, &h, s.half) != 0)
        return -1;
    if (!is_root_like(&s))
        return 0;
    if (keep == 0)
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* An exec of root's would gain the rest again, or, kept from that by no_new_privs, be taken
       for a set-user-id program, in whose environment libraries do not look. */
    for (int cap = 0; cap <= 63; cap++)
        if (!(keep & BIT(cap)))
            (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    cut(&s, keep);
    return (int)syscall(SYS_capset, &h, s.half);
}

void caps_master(void)
{
    (void)keep_only(MASTER);
}

int caps_drop(bool reads, bool writes, struct err *e)
{
    if (keep_only((reads ? READER : 0) | (reads && writes ? WRITER : 0)) == 0)
        return 0;
    return err_set(e, "capabilities cannot be dropped");
}
