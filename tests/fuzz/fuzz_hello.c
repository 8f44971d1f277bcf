/*
 * ClientHellos. However the bytes arrive, and over however many records they are spread,
 * the answer is one: a route must not depend on what a client's packets look like.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "proto/hello.h"

static void check_made(const struct hello *h)
{
    size_t at = 0;

    if (h->named && (h->name[0] == '\0' || memchr(h->name, '\0', sizeof(h->name)) == NULL))
        __builtin_trap();
    while (at < h->alpn_len)
        at += 1u + h->alpn[at];
    if (at != h->alpn_len)
        __builtin_trap();
}

/* Every beginning wants more or says what the whole says. Of a long input not every one:
   the time would be quadratic. */
static void in_segments(const uint8_t *data, size_t size, enum hello_state state,
                        const struct hello *whole)
{
    size_t step = 1 + size / 512;
    bool said = false;

    for (size_t n = 0; n <= size; n += step) {
        uint8_t *exact = malloc(n > 0 ? n : 1);     /* a read beyond it is seen */
        struct hello h;
        enum hello_state s;
        if (exact == NULL)
            return;
        memcpy(exact, data, n);
        s = hello_read(exact, n, &h);
        free(exact);
        if (s == HELLO_MORE ? said : s != state)
            __builtin_trap();
        said = s != HELLO_MORE;
        if (s == HELLO_WHOLE && memcmp(&h, whole, sizeof(h)) != 0)
            __builtin_trap();
    }
}

/* The same content in records of `part` bytes. */
static void in_records(const uint8_t *data, size_t size, size_t part, const struct hello *whole)
{
    uint8_t *out = malloc(6 * size + 6);
    size_t n = 0, left = 0;
    struct hello h;

    for (size_t at = 0; out != NULL && at < size;) {
        size_t record = size - at >= 5 ? (size_t)data[at + 3] << 8 | data[at + 4] : 0;
        if (data[at] != 22 || record == 0)
            break;
        at += 5;
        for (; record > 0 && at < size; record--) {
            if (left == 0) {
                memcpy(out + n, "\x16\x03\x01", 3);
                out[n + 3] = (uint8_t)(part >> 8);
                out[n + 4] = (uint8_t)part;
                n += 5;
                left = part;
            }
            out[n++] = data[at++];
            left--;
        }
    }
    if (out != NULL && n < HELLO_MAX
        && (hello_read(out, n, &h) != HELLO_WHOLE || memcmp(&h, whole, sizeof(h)) != 0))
        __builtin_trap();
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hello h;
    enum hello_state state = hello_read(data, size, &h);

    if (state == HELLO_WHOLE) {
        check_made(&h);
        in_records(data, size, 1, &h);
        in_records(data, size, 3, &h);
        in_records(data, size, 4096, &h);
    }
    in_segments(data, size, state, &h);
    return 0;
}
