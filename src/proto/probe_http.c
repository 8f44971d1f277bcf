#include <stdio.h>
#include <string.h>

#include "proto/probe_parts.h"

size_t probe_http_ask(const struct probe_to *to, uint8_t *out)
{
    int n = snprintf((char *)out, PROBE_ASK_MAX,
                     "GET %s HTTP/1.1\r\nHost: %.255s\r\nUser-Agent: sallyport\r\n"
                     "Accept: */*\r\nConnection: close\r\n\r\n",
                     to->path, to->host);

    return n > 0 && (size_t)n < PROBE_ASK_MAX ? (size_t)n : 0;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

enum probe_verdict probe_http_judge(const uint8_t *p, size_t n, struct err *why)
{
    static const char version[] = "HTTP/1.";
    size_t known = sizeof(version) - 1;

    for (;;) {
        if (memcmp(p, version, n < known ? n : known) != 0)
            return probe_alien(p, n, "HTTP/1.1", why);
        if (n < 13)
            return PROBE_MORE;
        if (!is_digit(p[7]) || p[8] != ' ' || !is_digit(p[9]) || !is_digit(p[10])
            || !is_digit(p[11]) || is_digit(p[12]))
            return probe_alien(p, n, "HTTP/1.1", why);

        const uint8_t *end;
        switch (p[9]) {
        case '2':
        case '3': return PROBE_UP;
        case '1':               /* on the way; the answer follows */
            end = memmem(p, n, "\r\n\r\n", 4);
            if (end == NULL)
                return PROBE_MORE;
            n -= (size_t)(end + 4 - p);
            p = end + 4;
            continue;
        default: err_setx(why, "answered HTTP %.3s", (const char *)p + 9); return PROBE_DOWN;
        }
    }
}
