#include "proto/hello.h"

#include <string.h>

#include "base/str.h"

enum { HANDSHAKE_RECORD = 22, CLIENT_HELLO = 1, RECORD_MAX = 16384 };
enum { EXT_SERVER_NAME = 0, EXT_ALPN = 16, NAME_HOST = 0 };

/* The handshake's bytes, across the heads of the records that carry them. */
struct reader {
    const uint8_t *p, *end;     /* of the input */
    size_t record;              /* left in the record at hand */
    size_t left;                /* left in the structure at hand */
    bool more;                  /* the input ended too early */
    bool bad;
};

/* To the next byte of content: through a record's head, if there it is. */
static bool at_content(struct reader *r)
{
    if (r->record > 0)
        return r->p < r->end || !(r->more = true);
    /* What is there of a head must be one already: who speaks another protocol may wait
       for an answer after a few bytes. */
    size_t have = (size_t)(r->end - r->p);
    if ((have > 0 && r->p[0] != HANDSHAKE_RECORD) || (have > 1 && r->p[1] != 3)
        || (have > 2 && r->p[2] > 4))
        return !(r->bad = true);
    if (have < 5)
        return !(r->more = true);
    r->record = (size_t)r->p[3] << 8 | r->p[4];
    r->p += 5;
    if (r->record == 0 || r->record > RECORD_MAX)
        return !(r->bad = true);
    return r->p < r->end || !(r->more = true);
}

/* n bytes into dst (NULL: skipped). False at the input's end, and when it is bad. */
static bool take(struct reader *r, void *dst, size_t n)
{
    uint8_t *out = dst;

    if (r->bad || r->more)
        return false;
    if (n > r->left)
        return !(r->bad = true);
    r->left -= n;
    while (n > 0 && at_content(r)) {
        size_t here = n, avail = (size_t)(r->end - r->p);
        here = here > r->record ? r->record : here;
        here = here > avail ? avail : here;
        if (out != NULL) {
            memcpy(out, r->p, here);
            out += here;
        }
        r->p += here;
        r->record -= here;
        n -= here;
    }
    return n == 0;
}

static size_t number(struct reader *r, size_t bytes)
{
    uint8_t b[3] = { 0 };
    size_t n = 0;

    if (take(r, b, bytes))
        for (size_t i = 0; i < bytes; i++)
            n = n << 8 | b[i];
    return n;
}

/* A vector with its length before it: what is in it becomes the structure at hand. What is
   left of the outer one afterwards is returned. */
static size_t enter(struct reader *r, size_t length_bytes)
{
    size_t n = number(r, length_bytes), outer = r->left;

    if (n > outer)
        r->bad = true;
    if (r->bad || r->more)
        return 0;
    r->left = n;
    return outer - n;
}

static void leave(struct reader *r, size_t outer)
{
    (void)take(r, NULL, r->left);
    r->left = outer;
}

static void skip(struct reader *r, size_t length_bytes)
{
    leave(r, enter(r, length_bytes));
}

static void read_name(struct reader *r, struct hello *out)
{
    size_t list = enter(r, 2);

    while (r->left > 0 && !r->bad && !r->more) {
        size_t type = number(r, 1), outer = enter(r, 2), len = r->left;
        if (type == NAME_HOST && !out->named && len <= HELLO_NAME_MAX
            && take(r, out->name, len)) {
            out->name[len] = '\0';
            out->named = len > 0 && memchr(out->name, '\0', len) == NULL;
        }
        leave(r, outer);
    }
    leave(r, list);
}

static void read_alpn(struct reader *r, struct hello *out)
{
    size_t list = enter(r, 2);

    while (r->left > 0 && !r->bad && !r->more) {
        size_t outer = enter(r, 1), len = r->left;
        if (out->alpn_len + len + 1 <= HELLO_ALPN_MAX
            && take(r, out->alpn + out->alpn_len + 1, len)) {
            out->alpn[out->alpn_len] = (uint8_t)len;
            out->alpn_len = (uint16_t)(out->alpn_len + len + 1);
        }
        leave(r, outer);
    }
    leave(r, list);
}

static void read_extensions(struct reader *r, struct hello *out)
{
    size_t outer = enter(r, 2);

    while (r->left > 0 && !r->bad && !r->more) {
        size_t type = number(r, 2), rest = enter(r, 2);
        if (type == EXT_SERVER_NAME)
            read_name(r, out);
        else if (type == EXT_ALPN && out->alpn_len == 0)
            read_alpn(r, out);
        leave(r, rest);
    }
    leave(r, outer);
}

enum hello_state hello_read(const uint8_t *p, size_t len, struct hello *out)
{
    struct reader r = { .p = p, .end = p + len, .left = 4 };
    size_t type, n;

    memset(out, 0, sizeof(*out));
    type = number(&r, 1);
    n = number(&r, 3);
    if (!r.more && !r.bad && (type != CLIENT_HELLO || n > HELLO_MAX))
        r.bad = true;
    r.left = n;
    (void)take(&r, NULL, 2 + 32);       /* version, random */
    skip(&r, 1);                        /* session id */
    skip(&r, 2);                        /* cipher suites */
    skip(&r, 1);                        /* compression methods */
    if (r.left > 0 && !r.bad && !r.more)
        read_extensions(&r, out);
    if (r.more && !r.bad && len < HELLO_MAX)
        return HELLO_MORE;
    return r.more || r.bad || r.left > 0 ? HELLO_OTHER : HELLO_WHOLE;
}

bool alpn_has(const uint8_t *list, size_t len, const char *protocol)
{
    for (size_t at = 0; at < len; at += 1u + list[at])
        if (str_eq((struct span){ (const char *)list + at + 1, list[at] }, protocol))
            return true;
    return false;
}
