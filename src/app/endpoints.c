#include "app/endpoints.h"

#include <string.h>

void endpoints_put(struct pack *k, const struct upstream_news *news)
{
    pack_text(k, news->upstream);
    pack_text(k, news->server);
    pack_u32(k, (uint32_t)news->n);
    for (size_t i = 0; i < news->n; i++) {
        const struct upstream_addr *a = &news->v[i];
        pack_u32(k, a->up);
        pack_blob(k, &a->addr.u, a->addr.len);
    }
}

/* An address as the kernel takes it, of a kind that we know. */
static bool take_addr(struct unpack *u, struct upstream_addr *out)
{
    size_t len = 0;

    *out = (struct upstream_addr){ .up = unpack_u32(u) != 0 };
    const uint8_t *p = unpack_blob(u, &len);
    if (p == NULL || len < sizeof(sa_family_t) || len > sizeof(out->addr.u))
        return false;
    memcpy(&out->addr.u, p, len);
    out->addr.len = (socklen_t)len;
    switch (out->addr.u.sa.sa_family) {
    case AF_INET: return len == sizeof(struct sockaddr_in);
    case AF_INET6: return len == sizeof(struct sockaddr_in6);
    case AF_UNIX:
        return len > sizeof(sa_family_t)
            && out->addr.u.un.sun_path[sizeof(out->addr.u.un.sun_path) - 1] == '\0';
    default: return false;
    }
}

bool endpoints_each(const void *p, size_t len, endpoints_fn *fn, void *arg)
{
    struct unpack u = { .p = p, .left = len };
    struct upstream_addr v[ENDPOINTS_ADDRS_MAX];

    while (u.left > 0) {
        struct upstream_news news = { .v = v };
        news.upstream = unpack_text(&u);
        news.server = unpack_text(&u);
        news.n = unpack_u32(&u);
        if (u.bad || news.upstream == NULL || news.server == NULL
            || news.n > ENDPOINTS_ADDRS_MAX)
            return false;
        for (size_t i = 0; i < news.n; i++)
            if (!take_addr(&u, &v[i]))
                return false;
        fn(arg, &news);
    }
    return true;
}
