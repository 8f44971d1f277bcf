#include <criterion/criterion.h>
#include <string.h>

#include "proto/hello.h"

/* A ClientHello under construction: bytes, and what it is to carry. */
struct made {
    uint8_t p[4096];
    size_t len;
};

static void put(struct made *m, const void *p, size_t n)
{
    memcpy(m->p + m->len, p, n);
    m->len += n;
}

static void put_number(struct made *m, size_t value, size_t bytes)
{
    while (bytes-- > 0)
        put(m, &(uint8_t){ (uint8_t)(value >> 8 * bytes) }, 1);
}

/* The length before what came after `at`. */
static void close_vector(struct made *m, size_t at, size_t bytes)
{
    size_t n = m->len - at;

    memmove(m->p + at + bytes, m->p + at, n);
    for (size_t i = 0; i < bytes; i++)
        m->p[at + i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
    m->len += bytes;
}

static void add_server_name(struct made *m, const void *name, size_t len)
{
    size_t ext, list;

    put_number(m, 0, 2);
    ext = list = m->len;
    put_number(m, 0, 1);
    put_number(m, len, 2);
    put(m, name, len);
    close_vector(m, list, 2);
    close_vector(m, ext, 2);
}

static void add_alpn(struct made *m, const char *wire, size_t len)
{
    size_t ext;

    put_number(m, 16, 2);
    ext = m->len;
    put(m, wire, len);
    close_vector(m, ext, 2);
    close_vector(m, ext, 2);
}

/* The message; `extensions` NULL: a hello without any, as in 1999. */
static struct made message(const struct made *extensions)
{
    struct made m = { .len = 0 };
    static const uint8_t fixed[34] = { 3, 3 };

    put(&m, fixed, sizeof(fixed));
    put_number(&m, 32, 1);
    m.len += 32;
    put_number(&m, 4, 2);
    put(&m, "\x13\x01\x13\x02", 4);
    put(&m, "\x01\x00", 2);
    if (extensions != NULL) {
        size_t at = m.len;
        put(&m, extensions->p, extensions->len);
        close_vector(&m, at, 2);
    }
    close_vector(&m, 0, 3);
    memmove(m.p + 1, m.p, m.len);
    m.p[0] = 1;
    m.len++;
    return m;
}

/* In records of `at` bytes and the rest; at 0: in one. */
static struct made records(const struct made *message, size_t at)
{
    struct made m = { .len = 0 };
    size_t parts[2] = { at, message->len - at }, from = 0;

    for (size_t i = 0; i < 2; i++) {
        if (parts[i] == 0)
            continue;
        put(&m, "\x16\x03\x01", 3);
        put_number(&m, parts[i], 2);
        put(&m, message->p + from, parts[i]);
        from += parts[i];
    }
    return m;
}

static struct made usual(size_t split)
{
    struct made ext = { .len = 0 }, msg;

    put(&ext, "\x00\x17\x00\x00", 4);       /* extended_master_secret */
    add_server_name(&ext, "Node.Example.com", 16);
    add_alpn(&ext, "\x02h2\x08http/1.1", 12);
    put(&ext, "\x00\x2d\x00\x02\x01\x01", 6);
    msg = message(&ext);
    return records(&msg, split);
}

Test(hello, says_name_and_protocols)
{
    struct made m = usual(0);
    struct hello h;

    cr_assert_eq(hello_read(m.p, m.len, &h), HELLO_WHOLE);
    cr_assert(h.named);
    cr_assert_str_eq(h.name, "Node.Example.com");
    cr_assert_eq(h.alpn_len, 12);
    cr_assert_arr_eq(h.alpn, "\x02h2\x08http/1.1", 12);
}

Test(hello, offers_whole_names_of_protocols)
{
    const struct hello h = { .alpn_len = 16, .alpn = "\x08grpc-exp\x02h2\x03h2c" };

    cr_expect(alpn_has(h.alpn, h.alpn_len, "h2"));
    cr_expect(alpn_has(h.alpn, h.alpn_len, "h2c"));
    cr_expect_not(alpn_has(h.alpn, h.alpn_len, "h"));
    cr_expect_not(alpn_has(h.alpn, h.alpn_len, "grpc"));
    cr_expect_not(alpn_has(NULL, 0, "h2"));
}

Test(hello, may_be_without_extensions)
{
    struct made msg = message(NULL), m = records(&msg, 0);
    struct hello h;

    cr_assert_eq(hello_read(m.p, m.len, &h), HELLO_WHOLE);
    cr_assert_not(h.named);
    cr_assert_eq(h.alpn_len, 0);
}

Test(hello, is_the_same_however_it_is_split_over_records)
{
    struct made one = usual(0);
    struct hello whole, h;

    cr_assert_eq(hello_read(one.p, one.len, &whole), HELLO_WHOLE);
    for (size_t at = 1; at < one.len - 5; at++) {
        struct made m = usual(at);
        cr_assert_eq(hello_read(m.p, m.len, &h), HELLO_WHOLE, "split at %zu", at);
        cr_assert_eq(memcmp(&h, &whole, sizeof(h)), 0, "split at %zu", at);
    }
}

Test(hello, every_beginning_of_one_wants_more)
{
    struct hello h;

    for (size_t split = 0; split < 60; split += 7) {
        struct made m = usual(split);
        for (size_t n = 0; n < m.len; n++)
            cr_assert_eq(hello_read(m.p, n, &h), HELLO_MORE, "%zu of %zu bytes", n, m.len);
        memset(m.p + m.len, 0xff, 100);     /* what comes after it is not looked at */
        cr_assert_eq(hello_read(m.p, m.len + 100, &h), HELLO_WHOLE);
    }
}

Test(hello, another_protocol_is_known_by_what_there_is)
{
    static const char *const others[] = {
        "G", "GET / HTTP/1.1\r\n", "\x16\x04\x01", "\x80\x2e\x01\x03\x01", "PROXY TCP4 ",
        "\x15\x03\x01\x00\x02\x02\x28", "\x04", "\x16\x03\x01\xff\xff", "SSH-2.0-x\r\n",
    };
    struct hello h;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_eq(hello_read((const uint8_t *)others[i], strlen(others[i]), &h),
                     HELLO_OTHER, "%s", others[i]);
    /* an empty record; another handshake message; one longer than what is read */
    cr_assert_eq(hello_read((const uint8_t *)"\x16\x03\x01\x00\x00", 5, &h), HELLO_OTHER);
    cr_assert_eq(hello_read((const uint8_t *)"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 9, &h),
                 HELLO_OTHER);
    cr_assert_eq(hello_read((const uint8_t *)"\x16\x03\x01\x00\x04\x01\x00\x40\x01", 9, &h),
                 HELLO_OTHER);
}

Test(hello, one_that_does_not_end_is_given_up)
{
    static uint8_t p[HELLO_MAX];
    struct hello h;

    for (size_t i = 0; i < sizeof(p); i += 6)   /* records of one byte */
        memcpy(p + i, "\x16\x03\x01\x00\x01\x00", sizeof(p) - i < 6 ? sizeof(p) - i : 6);
    p[5] = 1;
    p[17] = 0x3f;                               /* a message of 16128 bytes, */
    p[39 * 6 + 5] = 0x30;                       /* nearly all of it cipher suites */
    cr_assert_eq(hello_read(p, sizeof(p) - 1, &h), HELLO_MORE);
    cr_assert_eq(hello_read(p, sizeof(p), &h), HELLO_OTHER);
}

Test(hello, names_that_are_none_are_not_there)
{
    static char longer[300];
    struct hello h;

    memset(longer, 'a', sizeof(longer));
    const struct { const void *name; size_t len; bool named; } table[] = {
        { "a\0.example.com", 14, false },
        { "", 0, false },
        { longer, 255, true },
        { longer, 256, false },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct made ext = { .len = 0 }, msg, m;
        add_server_name(&ext, table[i].name, table[i].len);
        msg = message(&ext);
        m = records(&msg, 0);
        cr_assert_eq(hello_read(m.p, m.len, &h), HELLO_WHOLE, "row %zu", i);
        cr_assert_eq(h.named, table[i].named, "row %zu", i);
    }
}

Test(hello, lengths_that_lie_are_damage)
{
    struct made good = usual(0);
    struct hello h;
    size_t whole = 0;

    /* Every byte in turn: nothing is read outside, and it is one of the three. */
    for (size_t i = 0; i < good.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct made m = good;
            m.p[i] ^= (uint8_t)(1u << bit);
            whole += hello_read(m.p, m.len, &h) == HELLO_WHOLE;
            cr_assert_leq(h.alpn_len, HELLO_ALPN_MAX);
        }
    }
    cr_assert_gt(whole, 0);
    struct made m = good;
    m.p[m.len - 6 - 12 - 1]++;              /* the ALPN list's own length */
    cr_assert_eq(hello_read(m.p, m.len, &h), HELLO_OTHER);
}
