/*
 * PROXY headers. Every beginning of one wants more, or says what the whole says; what is
 * good is within its bounds, and its fields can be walked.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "proto/proxyhdr.h"

static void must(bool is)
{
    if (!is)
        __builtin_trap();
}

/* In memory of its own size, so that a byte too far is seen. */
static enum proxyhdr_state read_exact(const uint8_t *data, size_t n, struct proxyhdr *h)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    enum proxyhdr_state s;

    must(copy != NULL);
    if (n > 0)
        memcpy(copy, data, n);
    s = proxyhdr_read(copy, n, h);
    h->tlvs = NULL;
    free(copy);
    return s;
}

static void walk(const struct proxyhdr *h)
{
    const uint8_t *at = h->tlvs;
    size_t left = h->tlvs_len;
    struct span value;
    int type;

    while (proxyhdr_next(&at, &left, &type, &value))
        must(value.p + value.len <= (const char *)h->tlvs + h->tlvs_len);
    must(left == 0);
}

/* What comes out of a good one goes in again, and out the same. */
static void write_again(const struct proxyhdr *h)
{
    struct proxyhdr_facts f = { .from = h->from, .to = h->to };
    uint8_t out[PROXYHDR_MAX];
    struct proxyhdr again;
    size_t n = proxyhdr_write_v2(&f, true, out, sizeof(out));

    must(proxyhdr_read(out, n, &again) == PROXYHDR_WHOLE && again.len == n);
    if (h->from.family == h->to.family && h->from.family != AF_UNIX)
        must(memcmp(&again.from, &h->from, sizeof(h->from)) == 0
             && memcmp(&again.to, &h->to, sizeof(h->to)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = 1 + size / 512;
    struct proxyhdr whole, h;
    enum proxyhdr_state s = proxyhdr_read(data, size, &whole);

    must(s != PROXYHDR_BAD || whole.why != NULL);
    if (s == PROXYHDR_WHOLE) {
        must(whole.len <= size && whole.len <= PROXYHDR_MAX);
        walk(&whole);
        if (whole.addressed)
            write_again(&whole);
    }
    for (size_t n = 0; n < size; n += step) {
        enum proxyhdr_state part = read_exact(data, n, &h);
        must(part == PROXYHDR_MORE || part == s);
        must(part != PROXYHDR_MORE || s != PROXYHDR_WHOLE || n < whole.len);
    }
    return 0;
}
