#include "tls/own_passwords.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Behind "NAME:" when the line begins so. */
static const char *after_name(struct span line, struct span name)
{
    if (line.len <= name.len || memcmp(line.p, name.p, name.len) != 0 || line.p[name.len] != ':')
        return NULL;
    return line.p + name.len + 1;
}

static struct span without_jks(struct span name)
{
    static const char ending[] = ".jks";
    size_t n = sizeof(ending) - 1;

    if (name.len > n && memcmp(name.p + name.len - n, ending, n) == 0)
        name.len -= n;
    return name;
}

static char *own(const char *text, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    struct span name = { base, strlen(base) }, rest, found = { NULL, 0 };

    if (text == NULL || name.len == 0)
        return NULL;
    rest = (struct span){ text, strlen(text) };
    while (rest.len > 0) {
        const char *end = memchr(rest.p, '\n', rest.len);
        struct span line = { rest.p, end != NULL ? (size_t)(end - rest.p) : rest.len };
        rest = (struct span){ line.p + line.len + (end != NULL),
                              rest.len - line.len - (end != NULL) };
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        const char *password = after_name(line, name);
        if (password == NULL)
            password = after_name(line, without_jks(name));
        if (password != NULL)
            found = (struct span){ password, line.len - (size_t)(password - line.p) };
    }
    return found.p != NULL ? mem_strndup(found.p, found.len) : NULL;
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

bool password_is_list(const char *password)
{
    return password != NULL && strchr(password, '\n') != NULL;
}
