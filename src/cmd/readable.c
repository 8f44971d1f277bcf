#include "cmd/readable.h"

#include <langinfo.h>
#include <stdbool.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/mem.h"

#define ESCAPE_LEN 4            /* of \xNN */
#define UTF8_MAX 4

locale_t readable_locale(void)
{
    locale_t user = newlocale(LC_CTYPE_MASK, "", (locale_t)0);

    if (user == (locale_t)0 || strcmp(nl_langinfo_l(CODESET, user), "UTF-8") == 0)
        return user;
    freelocale(user);
    return (locale_t)0;
}

/* Marks and overrides of direction, joiners, invisible operators, tags. A C library may
   call them printable. */
static bool is_hidden(wchar_t c)
{
    static const struct {
        wchar_t from, to;
    } ranges[] = {
        { 0x80, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x115f, 0x1160 },
        { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
        { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
        { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

static bool escaped_byte(const char *p, char *out)
{
    static const char digits[] = "0123456789abcdef";

    if (p[0] != '\\' || p[1] != 'x' || p[2] == '\0' || p[3] == '\0')
        return false;
    const char *high = strchr(digits, p[2]), *low = strchr(digits, p[3]);
    if (high == NULL || low == NULL)
        return false;
    *out = (char)((high - digits) << 4 | (low - digits));
    return true;
}

/* How many escapes at `p` make one character that can be shown; its bytes. */
static size_t character_at(const char *p, locale_t utf8, char bytes[UTF8_MAX])
{
    mbstate_t state = { 0 };
    size_t n = 0, len;
    wchar_t c;

    while (n < UTF8_MAX && escaped_byte(p + n * ESCAPE_LEN, &bytes[n]))
        n++;
    if (n < 2)
        return 0;
    locale_t before = uselocale(utf8);
    len = mbrtowc(&c, bytes, n, &state);
    uselocale(before);
    if (len < 2 || len > n)
        return 0;               /* ASCII was escaped for a reason; or it is no UTF-8 */
    return iswprint_l((wint_t)c, utf8) && !is_hidden(c) ? len : 0;
}

char *readable(const char *escaped, locale_t utf8)
{
    char *out = mem_zalloc(strlen(escaped) + 1), *to = out, bytes[UTF8_MAX];

    for (const char *p = escaped; *p != '\0';) {
        size_t n = character_at(p, utf8, bytes);
        size_t taken = n > 0 ? n * ESCAPE_LEN : escaped_byte(p, bytes) ? ESCAPE_LEN : 1;
        memcpy(to, n > 0 ? bytes : p, n > 0 ? n : taken);
        to += n > 0 ? n : taken;
        p += taken;
    }
    return out;
}
