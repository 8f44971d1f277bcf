#include "tls/own_passwords.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

#define MARK "\xef\xbb\xbf"       /* UTF-8's byte order mark */

/* Behind "NAME:" when the line begins so. */
static const char *after_name(struct span line, struct span name)
{
    if (line.len <= name.len || memcmp(line.p, name.p, name.len) != 0 || line.p[name.len] != ':')
        return NULL;
    return line.p + name.len + 1;
}

static struct span without_ending(struct span name)
{
    static const char *const endings[] = { ".jks", ".jceks", ".p12", ".pfx", ".keystore" };

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t n = strlen(endings[i]);
        if (name.len > n && strncasecmp(name.p + name.len - n, endings[i], n) == 0)
            return (struct span){ name.p, name.len - n };
    }
    return name;
}

static struct span base_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;

    return str_span(base);
}

static void find(struct span line, struct span name, struct span *found)
{
    const char *password = after_name(line, name);

    if (password != NULL)
        *found = (struct span){ password, line.len - (size_t)(password - line.p) };
}

/* A line with the whole name is surely meant; else the one without its ending. */
static char *own(const char *text, const char *path)
{
    struct span name = base_name(path), rest, whole = { NULL, 0 }, shorter = { NULL, 0 };

    if (text == NULL || name.len == 0)
        return NULL;
    if (strncmp(text, MARK, strlen(MARK)) == 0)
        text += strlen(MARK);
    rest = str_span(text);
    while (rest.len > 0) {
        const char *end = memchr(rest.p, '\n', rest.len);
        struct span line = { rest.p, end != NULL ? (size_t)(end - rest.p) : rest.len };
        rest = (struct span){ line.p + line.len + (end != NULL),
                              rest.len - line.len - (end != NULL) };
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        find(line, name, &whole);
        find(line, without_ending(name), &shorter);
    }
    if (whole.p == NULL)
        whole = shorter;
    return whole.p != NULL ? mem_strndup(whole.p, whole.len) : NULL;
}

void own_passwords(const struct passwords *given, const char *path, struct own_passwords *out)
{
    *out = (struct own_passwords){ .pw = *given };
    out->store = own(given->store, path);
    out->key = own(given->key, path);
    if (out->store != NULL)
        out->pw.store = out->store;
    if (out->key != NULL)
        out->pw.key = out->key;
}

static void wipe(char *text)
{
    if (text != NULL)
        mem_wipe_free(text, strlen(text));
}

void own_passwords_free(struct own_passwords *p)
{
    wipe(p->store);
    wipe(p->key);
    *p = (struct own_passwords){ 0 };
}

/* --- why one is wrong --- */

static bool has_several_lines(const char *s)
{
    const char *end = strchr(s, '\n');

    return end != NULL && end[strspn(end, "\r\n")] != '\0';
}

/* "NAME:" of something that may be a file's name. */
static bool begins_with_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return n > 0 && s[n] == ':';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

char *password_hint(const char *s, const char *keystore)
{
    const char *name = keystore != NULL ? base_name(keystore).p : NULL;
    size_t len = s != NULL ? strlen(s) : 0;

    if (s == NULL)
        return NULL;
    if (len == 0)
        return mem_strdup("the password that is given is empty");
    if (has_several_lines(s))
        return name != NULL ? mem_printf("the password file has several lines, and none that "
                                         "begins with %s:", name)
                            : mem_strdup("the password file has several lines");
    if (strncmp(s, MARK, strlen(MARK)) == 0)
        return mem_strdup("the password begins with a byte order mark, which an editor wrote: "
                          "save the file as UTF-8 without BOM");
    if (s[len - 1] == '\n')
        return mem_strdup("the password ends with a newline: of several at the end of its file "
                          "only the last is dropped");
    if (s[len - 1] == '\r')
        return mem_strdup("the password ends with a carriage return");
    if (is_blank(s[0]) || is_blank(s[len - 1]))
        return mem_printf("the password %s with a blank", is_blank(s[0]) ? "begins" : "ends");
    if (name != NULL && begins_with_name(s))
        return mem_printf("if the password file holds a line NAME:PASSWORD, the name must be %s",
                          name);
    return NULL;
}
