#include "base/uri.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t uri_scheme(struct span uri)
{
    size_t n = 0;

    while (n < uri.len && (is_letter(uri.p[n])
                           || (n > 0 && ((uri.p[n] >= '0' && uri.p[n] <= '9')
                                         || memchr("+-.", uri.p[n], 3) != NULL))))
        n++;
    return n >= 2 && n < uri.len && uri.p[n] == ':' ? n : 0;
}

bool uri_has_scheme(struct span uri, const char *scheme)
{
    size_t n = uri_scheme(uri);

    return n > 0 && n == strlen(scheme) && strncasecmp(uri.p, scheme, n) == 0;
}

bool uri_attribute(struct span uri, const char *name, struct span *value)
{
    size_t n = strlen(name), at = uri_scheme(uri);

    while (at > 0 && at < uri.len) {
        const char *p = uri.p + at + 1;         /* behind what separates it from the last */
        size_t left = uri.len - at - 1, len = 0;
        while (len < left && memchr(";?&", p[len], 3) == NULL)
            len++;
        if (len > n && p[n] == '=' && strncasecmp(p, name, n) == 0) {
            *value = (struct span){ p + n + 1, len - n - 1 };
            return true;
        }
        at += 1 + len;
    }
    return false;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *uri_decode(struct span text)
{
    char *out = mem_zalloc(text.len + 1), *to = out;

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] != '%') {
            *to++ = text.p[i];
            continue;
        }
        int high = i + 2 < text.len ? digit(text.p[i + 1]) : -1;
        int low = i + 2 < text.len ? digit(text.p[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            free(out);
            return NULL;
        }
        *to++ = (char)(high << 4 | low);
        i += 2;
    }
    return out;
}

char *uri_file_path(struct span uri, struct err *e)
{
    static const char here[] = "localhost";
    size_t skip = uri_scheme(uri) + 1;
    struct span path = { uri.p + skip, uri.len - skip };
    char *decoded;

    if (path.len >= 2 && memcmp(path.p, "//", 2) == 0) {
        path = (struct span){ path.p + 2, path.len - 2 };
        if (path.len >= sizeof(here) - 1 && strncasecmp(path.p, here, sizeof(here) - 1) == 0)
            path = (struct span){ path.p + sizeof(here) - 1, path.len - (sizeof(here) - 1) };
        if (path.len == 0 || path.p[0] != '/') {
            err_setx(e, "a file: URI names a file of this machine: file:///DIR/FILE");
            return NULL;
        }
    }
    decoded = uri_decode(path);
    if (decoded == NULL || decoded[0] == '\0') {
        free(decoded);
        decoded = NULL;
        err_setx(e, path.len == 0 ? "a file: URI without a path"
                                  : "a %% without two digits behind it");
    }
    return decoded;
}
