#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_IDLE_S 20
#define KEEP_INTERVAL_S 10
#define KEEP_PROBES 3

/* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST, of headers that netinet's do not get on with. */
#define ORIGINAL_DST 80

static void set_int(int fd, int level, int option, int value)
{
    /* Options that tune; a kernel that lacks one still carries the bytes. */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void tune_tcp(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
    sock_user_timeout(fd, SOCK_USER_TIMEOUT_MS);
}

static bool is_unix(const struct addr *a)
{
    return a->u.sa.sa_family == AF_UNIX;
}

static int new_socket(const struct addr *a)
{
    return socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A socket file that nobody serves any more is in the way of bind(): remove it. */
static void remove_stale(const struct addr *a)
{
    struct stat st;

    if (lstat(a->u.un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = new_socket(a);
    if (fd < 0)
        return;
    if (connect(fd, &a->u.sa, a->len) != 0 && errno == ECONNREFUSED)
        (void)unlink(a->u.un.sun_path);
    close(fd);
}

int sock_listen(const struct addr *a, int backlog, struct err *e)
{
    int fd = new_socket(a);

    if (fd < 0)
        return err_set(e, "cannot make a socket");
    if (is_unix(a)) {
        remove_stale(a);
    } else {
        set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        tune_tcp(fd);           /* accepted sockets inherit all of it */
        if (a->u.sa.sa_family == AF_INET6)
            set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (bind(fd, &a->u.sa, a->len) != 0 || listen(fd, backlog) != 0) {
        err_set(e, "cannot listen");
        close(fd);
        return -1;
    }
    return fd;
}

static int get_int(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : -1;
}

int sock_adopt(int fd, struct err *e)
{
    int domain = get_int(fd, SO_DOMAIN), flags = fcntl(fd, F_GETFL);

    if (domain < 0 || flags < 0)
        return err_setx(e, "it is no socket");
    if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
        return err_setx(e, "it is neither a TCP nor a Unix socket");
    if (get_int(fd, SO_TYPE) != SOCK_STREAM)
        return err_setx(e, "it carries datagrams, not streams");
    if (get_int(fd, SO_ACCEPTCONN) != 1)
        return err_setx(e, "nothing can be accepted from it");
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return err_set(e, "cannot set it up");
    if (domain != AF_UNIX)
        tune_tcp(fd);
    return 0;
}

bool sock_be_transparent(int listen_fd)
{
    struct addr a;
    int on = 1;

    if (sock_local_addr(listen_fd, &a) != 0)
        return false;
    bool v6 = a.u.sa.sa_family == AF_INET6;
    return setsockopt(listen_fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT,
                      &on, sizeof(on)) == 0;
}

int sock_accept(int listen_fd, struct peer *from)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u = { .sa.sa_family = AF_UNIX };
    socklen_t len = sizeof(u);
    int fd;

    do
        fd = accept4(listen_fd, &u.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0)
        peer_from(&u.sa, from);
    return fd;
}

int sock_connect(const struct addr *a)
{
    int fd = new_socket(a), rc;

    if (fd < 0)
        return -1;
    if (!is_unix(a))
        tune_tcp(fd);
    do
        rc = connect(fd, &a->u.sa, a->len);
    while (rc != 0 && errno == EINTR);
    if (rc == 0 || errno == EINPROGRESS)
        return fd;

    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int sock_local_addr(int fd, struct addr *out)
{
    memset(out, 0, sizeof(*out));
    out->len = sizeof(out->u);
    if (getsockname(fd, &out->u.sa, &out->len) != 0) {
        out->len = 0;
        return -1;
    }
    return 0;
}

/* What conntrack knows of it; without NAT, or without conntrack, nothing. */
static bool before_nat(int fd, const struct addr *here, struct addr *out)
{
    bool v6 = here->u.sa.sa_family == AF_INET6;

    memset(out, 0, sizeof(*out));
    out->len = v6 ? sizeof(out->u.in6) : sizeof(out->u.in);
    return getsockopt(fd, v6 ? SOL_IPV6 : SOL_IP, ORIGINAL_DST, &out->u.sa, &out->len) == 0
        && !addr_equal(out, here);
}

static bool is_wildcard(const struct addr *a)
{
    return a->u.sa.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr)
                                         : a->u.in.sin_addr.s_addr == INADDR_ANY;
}

/* With port 0. */
static struct addr address_of(const struct peer *p)
{
    struct addr a = { .len = sizeof(a.u.in), .u.in.sin_family = AF_INET };

    if (p->family == AF_INET) {
        memcpy(&a.u.in.sin_addr, p->ip, sizeof(a.u.in.sin_addr));
    } else {
        a = (struct addr){ .len = sizeof(a.u.in6), .u.in6.sin6_family = AF_INET6 };
        memcpy(&a.u.in6.sin6_addr, p->ip, sizeof(a.u.in6.sin6_addr));
    }
    return a;
}

/* 0, or the errno with which no socket could be bound to it. */
static int try_to_bind(const struct addr *a)
{
    struct addr any_port = *a;
    int fd = new_socket(a), error = errno;

    if (fd < 0)
        return error;
    addr_set_port(&any_port, 0);
    error = bind(fd, &any_port.u.sa, any_port.len) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/* net.ipv4.ip_nonlocal_bind and its like let everybody bind to strangers' addresses: those for
   documentation (RFC 5737, RFC 3849) are nobody's. */
static bool may_bind_to_strangers(uint8_t family)
{
    static const uint8_t v4[4] = { 192, 0, 2, 1 }, v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
    struct peer p = { .family = family };
    struct addr a;

    memcpy(p.ip, family == AF_INET ? v4 : v6, family == AF_INET ? sizeof(v4) : sizeof(v6));
    a = address_of(&p);
    return try_to_bind(&a) == 0;
}

static bool an_interface_has(const struct peer *wanted)
{
    struct ifaddrs *all, *i;
    struct peer p;

    if (getifaddrs(&all) != 0)
        return false;
    for (i = all; i != NULL; i = i->ifa_next) {
        if (i->ifa_addr == NULL)
            continue;
        peer_from(i->ifa_addr, &p);
        if (peer_same_host(&p, wanted))
            break;
    }
    freeifaddrs(all);
    return i != NULL;
}

enum whose { OURS, ANOTHERS, UNKNOWN };

/* Only an address of this host can be bound to, on most hosts: whatever goes wrong else than
   EADDRNOTAVAIL says nothing. On the others its interfaces are asked, which takes longer. */
static enum whose whose(const struct addr *a)
{
    int error = try_to_bind(a);
    struct peer p;

    if (error != 0)
        return error == EADDRNOTAVAIL ? ANOTHERS : UNKNOWN;
    peer_from(&a->u.sa, &p);
    if (addr_is_local(a) || !may_bind_to_strangers(p.family))
        return OURS;
    return an_interface_has(&p) ? OURS : ANOTHERS;
}

bool sock_is_this_host(const struct peer *p)
{
    if (p->family == AF_UNIX)
        return true;
    struct addr a = address_of(p);
    return whose(&a) == OURS;
}

bool sock_original_dst(int fd, const struct addr *listening, struct addr *out)
{
    struct addr here;

    if (sock_local_addr(fd, &here) != 0 || is_unix(&here))
        return false;
    if (before_nat(fd, &here, out))
        return true;
    if (addr_equal(&here, listening))
        return false;
    *out = here;
    /* Behind a wildcard, our port at any address of ours is ours. */
    return !is_wildcard(listening) || addr_port(&here) != addr_port(listening)
        || whose(&here) == ANOTHERS;
}

/* The leading part of struct tcp_info that every supported kernel fills; libc's own
   struct stops before tcpi_notsent_bytes on Debian 12. */
struct tcp_facts {
    struct tcp_info base;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes;
};

static bool tcp_facts(int fd, struct tcp_facts *f)
{
    socklen_t len = sizeof(*f);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, f, &len) == 0 && len == sizeof(*f);
}

bool sock_peer_stalled(int fd)
{
    struct tcp_facts f;

    /* Nothing in flight, yet bytes left to send: only a shut window holds them. */
    return tcp_facts(fd, &f) && f.base.tcpi_unacked == 0 && f.notsent_bytes > 0
        && f.base.tcpi_probes < KEEP_PROBES;
}

unsigned sock_unacked(int fd)
{
    int n = 0;

    return ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0 ? (unsigned)n : 0;
}

void sock_user_timeout(int fd, unsigned ms)
{
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)ms);
}

bool sock_is_dead(int fd)
{
    struct pollfd p = { .fd = fd };

    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}
