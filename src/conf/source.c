#include "conf/source.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/file.h"
#include "conf/schema.h"

#define SHOWN_TEXT 24           /* of the word that begins a line that is no key = value */

/* How the line that inih has been handed last is to be understood. */
struct source {
    struct span rest;           /* what has not been read */
    const char *path;
    unsigned line;
    size_t room;                /* the longest line that inih holds whole */

    char *section, *name;       /* the section we are in; NULL before the first */
    char *key;                  /* what an indented line continues; NULL: nothing */
    bool key_refused;           /* … and the lines that continue it go with it */
    bool continued;             /* the line is an indented one */

    struct settings *out;
    struct diags *d;
};

/* The word that begins a line. The rest may be a secret: it is never shown. */
static struct span first_word(struct span text)
{
    size_t n = 0;

    while (n < text.len && n < SHOWN_TEXT && strchr(" \t=:", text.p[n]) == NULL)
        n++;
    return (struct span){ text.p, n };
}

/* Of `text`, where there is no key to go with it, the message quotes the first word. */
static void finding(struct source *s, const char *key, struct span text, char *hint,
                    const char *message)
{
    char *value = text.p && key ? mem_strndup(text.p, text.len) : NULL;
    char *title = s->section == NULL ? NULL
                  : s->name[0] == '\0' ? mem_strdup(s->section)
                                       : mem_printf("%s %s", s->section, s->name);
    struct diag_at at = { { s->path, s->line }, title, key, value };

    struct span word = text.p && key == NULL ? first_word(text) : (struct span){ 0 };

    if (word.len > 0)
        diag_add(s->d, DIAG_ERROR, at, hint, "%s: \"%.*s\"%s", message, (int)word.len, word.p,
                 word.len < text.len ? " …" : "");
    else
        diag_add(s->d, DIAG_ERROR, at, hint, "%s", message);
    free(title);
    free(value);
    free(hint);
}

/* The next line without its end; false behind the last. */
static bool next_line(struct source *s, struct span *line)
{
    if (s->rest.len == 0)
        return false;

    const char *nl = memchr(s->rest.p, '\n', s->rest.len);
    size_t len = nl ? (size_t)(nl - s->rest.p) : s->rest.len;
    size_t used = nl ? len + 1 : len;

    *line = (struct span){ s->rest.p, len };
    s->rest = (struct span){ s->rest.p + used, s->rest.len - used };
    if (line->len > 0 && line->p[line->len - 1] == '\r')
        line->len--;
    if (s->line++ == 0 && line->len >= 3 && memcmp(line->p, "\xef\xbb\xbf", 3) == 0)
        *line = (struct span){ line->p + 3, line->len - 3 };
    return true;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span without_comment(struct span line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((line.p[i] == ';' || line.p[i] == '#') && (i == 0 || blank(line.p[i - 1])))
            return (struct span){ line.p, i };
    return line;
}

/* Bytes that inih, a terminal or a C string would take for something else. */
static bool sound(struct source *s, struct span raw, struct span text)
{
    if (memchr(raw.p, '\0', raw.len) != NULL) {
        finding(s, NULL, (struct span){ 0 }, NULL, "the line holds a NUL byte");
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            finding(s, NULL, (struct span){ 0 }, NULL, "the line holds a control character");
            return false;
        }
    }
    return true;
}

static bool is_key_text(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z')
              || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_' || s.p[i] == '-'))
            return false;
    return s.len > 0;
}

static struct span up_to(struct span s, const char *end)
{
    return (struct span){ s.p, (size_t)(end - s.p) };
}

/* "[section name]" */
static void read_head(struct source *s, struct span text)
{
    const char *close = memrchr(text.p, ']', text.len);
    struct span inside = close ? up_to(text, close) : text;
    struct span behind = { close ? close + 1 : text.p, close ? text.len - inside.len - 1 : 0 };

    inside = str_trim((struct span){ inside.p + 1, inside.len - 1 });
    size_t word = 0;
    while (word < inside.len && !blank(inside.p[word]))
        word++;
    free(s->section);
    free(s->name);
    free(s->key);
    s->key = NULL;
    s->section = mem_strndup(inside.p, word);
    struct span name = str_trim((struct span){ inside.p + word, inside.len - word });
    s->name = mem_strndup(name.p, name.len);

    struct span none = { 0 };
    if (close == NULL)
        finding(s, NULL, none, NULL, "the ] of the section's head is missing");
    else if (str_trim(behind).len > 0)
        finding(s, NULL, str_trim(behind), mem_strdup("a comment begins with ;"),
                "text after the ] of the section's head");
    settings_add(s->out, s->section, s->name, NULL, NULL, (struct origin){ s->path, s->line });
}

static const struct key_row *row_of(const struct source *s, struct span key)
{
    int section = s->section ? schema_section(s->section) : -1;

    if (section < 0 || !is_key_text(key))
        return NULL;
    char *word = mem_strndup(key.p, key.len);
    const struct key_row *row = schema_key((enum conf_section)section, word);
    free(word);
    return row;
}

/* "server 127.0.0.1:9042" and "server: …" are the usual slips. */
static char *missing_sign_hint(const struct source *s, struct span text)
{
    size_t word = 0;

    while (word < text.len && !blank(text.p[word]) && text.p[word] != ':')
        word++;
    struct span key = { text.p, word }, value = { text.p + word, text.len - word };
    if (row_of(s, key) == NULL)
        return NULL;
    value = str_trim(value);
    if (value.len > 0 && value.p[0] == ':')
        value = str_trim((struct span){ value.p + 1, value.len - 1 });
    return mem_printf("did you mean \"%.*s = %.*s\"?", (int)key.len, key.p, (int)value.len,
                      value.p);
}

/* The lines that continue this key go with it, until it is found to be good. */
static void refuse_key(struct source *s, const char *key)
{
    char *copy = mem_strdup(key);

    free(s->key);
    s->key = copy;
    s->key_refused = true;
}

/* The way out for a line that is too long; the caller's. */
static char *shorter(const struct key_row *row)
{
    bool path = row != NULL && (row->type == TYPE_FILE || row->type == TYPE_KEY
                                || row->type == TYPE_SECRET || row->type == TYPE_LOG);

    if (path)
        return mem_strdup("write the path relative to this file's folder, or make a link to it");
    return row != NULL && row->flags & ROW_LIST
               ? mem_strdup("write the list's values on several lines, indented")
               : NULL;
}

/* "key = value": whether inih may see it. */
static bool read_key(struct source *s, struct span text)
{
    const char *sign = memchr(text.p, '=', text.len);
    struct span key = sign ? str_trim(up_to(text, sign)) : text;

    char *word = is_key_text(key) && sign ? mem_strndup(key.p, key.len) : mem_strdup("");
    refuse_key(s, word);
    free(word);
    if (s->key[0] == '\0') {
        finding(s, NULL, text, missing_sign_hint(s, text), "not of the form key = value");
    } else if (s->section == NULL) {
        finding(s, s->key, (struct span){ 0 }, NULL, "a key before the first [section]");
    } else if (text.len > s->room) {
        char message[96];
        snprintf(message, sizeof(message), "the line has %zu bytes, %zu are possible", text.len,
                 s->room);
        finding(s, s->key, (struct span){ 0 }, shorter(row_of(s, key)), message);
    } else {
        s->key_refused = false;
    }
    return !s->key_refused;
}

/* An indented line that was meant as a line of its own. */
static char *meant_alone(const struct source *s, struct span text)
{
    const char *sign = memchr(text.p, '=', text.len);

    if (sign != NULL && row_of(s, str_trim(up_to(text, sign))) != NULL)
        return mem_printf("remove the blanks before \"%.*s\"",
                          (int)str_trim(up_to(text, sign)).len, text.p);
    if (text.p[0] == '[') {
        size_t word = 1;
        while (word < text.len && !blank(text.p[word]) && text.p[word] != ']')
            word++;
        char *section = mem_strndup(text.p + 1, word - 1);
        bool known = schema_section(section) >= 0;
        free(section);
        if (known)
            return mem_strdup("remove the blanks before the [");
    }
    return NULL;
}

/* An indented line below a key: whether inih may see it. */
static bool read_continuation(struct source *s, struct span text)
{
    struct span key = { s->key, strlen(s->key) };
    const struct key_row *row = row_of(s, key);
    char *hint = meant_alone(s, text);

    if (hint != NULL) {
        finding(s, key.len > 0 ? s->key : NULL, text, hint,
                "an indented line continues the one above");
        return false;
    }
    if (s->key_refused || row == NULL)
        return false;           /* the key above has its finding, or will get one */
    if (!(row->flags & ROW_LIST)) {
        finding(s, s->key, text, mem_strdup("remove the blanks at the start of the line"),
                "an indented line continues the one above, and this key takes one value");
        return false;
    }
    if (text.len + 1 > s->room) {
        char message[96];
        snprintf(message, sizeof(message), "the line has %zu bytes, %zu are possible",
                 text.len + 1, s->room);
        finding(s, s->key, (struct span){ 0 }, shorter(row), message);
        return false;
    }
    return true;
}

/* inih's fgets(): one line of the file, as inih is to see it. An empty one stands
   for all that it need not see. */
static char *read_line(char *buf, int size, void *arg)
{
    struct source *s = arg;
    struct span raw;

    if (!next_line(s, &raw))
        return NULL;
    s->room = (size_t)size - 2; /* a newline and a NUL follow */

    struct span text = without_comment(raw);
    bool indented = text.len > 0 && blank(text.p[0]);
    bool whole = sound(s, raw, text);
    text = str_trim(text);
    s->continued = indented && s->key != NULL;

    bool show = false;
    if (!whole && !s->continued)
        refuse_key(s, "");
    else if (whole && text.len > 0 && s->continued)
        show = read_continuation(s, text);
    else if (whole && text.len > 0 && text.p[0] == '[')
        read_head(s, text);
    else if (whole && text.len > 0)
        show = read_key(s, text);

    /* To inih all sections are one, whose name is never looked at; a head only
       makes it forget the key above. */
    if (s->key == NULL && s->section != NULL && !show)
        snprintf(buf, (size_t)size, "[.]\n");
    else
        snprintf(buf, (size_t)size, "%s%.*s\n", show && s->continued ? " " : "",
                 show ? (int)text.len : 0, text.p);
    return buf;
}

/* inih calls this within the turn of the line that it has just read. */
static int take_value(void *arg, const char *section, const char *key, const char *value)
{
    struct source *s = arg;
    struct setting *last = s->out->n > 0 ? &s->out->v[s->out->n - 1] : NULL;

    (void)section;
    if (s->continued && last != NULL && last->key != NULL && last->value[0] == '\0') {
        free(last->value);      /* "key =" with all its values on the lines below */
        last->value = mem_strdup(value);
        last->line = s->line;
        return 1;
    }
    settings_add(s->out, s->section, s->name, key, value, (struct origin){ s->path, s->line });
    return 1;
}

/* The line on which a PEM block begins; 0 when there is none. */
static unsigned pem_line(struct span rest)
{
    static const char mark[] = "-----BEGIN ";
    unsigned n = 0;

    while (rest.len > 0) {
        const char *nl = memchr(rest.p, '\n', rest.len);
        struct span line = str_trim(nl ? up_to(rest, nl) : rest);
        n++;
        if (line.len >= sizeof(mark) - 1 && memcmp(line.p, mark, sizeof(mark) - 1) == 0)
            return n;
        size_t used = nl ? (size_t)(nl - rest.p) + 1 : rest.len;
        rest = (struct span){ rest.p + used, rest.len - used };
    }
    return 0;
}

/* A keystore, a DER file, text in UTF-16: none has many lines, but each would be wrong. */
static const char *what_else(const char *bytes, size_t len)
{
    size_t controls = 0, n = len < 1024 ? len : 1024;

    if (len >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
        return "text in UTF-16";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        controls += (c < 0x20 && strchr("\t\r\n", c) == NULL) || c == 0x7f || c == 0;
    }
    return controls > n / 16 && controls > 4 ? "binary data" : NULL;
}

void source_parse(const char *bytes, size_t len, const char *path, struct settings *out,
                  struct diags *d)
{
    struct source s = { .rest = { bytes, len }, .path = path, .out = out, .d = d };

    /* One finding, and nothing of it shown: it may be a private key. */
    unsigned pem = pem_line(s.rest);
    if (pem > 0) {
        diag_add(d, DIAG_ERROR, (struct diag_at){ .at = { path, pem } },
                 "certificates and keys stand in files of their own, named by cert, key and ca",
                 "this is a PEM file, not a configuration");
        return;
    }
    const char *else_what = what_else(bytes, len);
    if (else_what != NULL) {
        bool text = strncmp(else_what, "text", 4) == 0;
        diag_add(d, DIAG_ERROR, (struct diag_at){ .at = { path, 0 } },
                 text ? "save it as UTF-8"
                      : "keystores and certificates are named by cert and ca; what is in one, "
                        "sallyport show tells",
                 "this is %s, not a configuration", else_what);
        return;
    }
    int rc = ini_parse_stream(read_line, &s, take_value, &s);
    if (rc != 0)
        diag_add(d, DIAG_ERROR, (struct diag_at){ .at = { path, s.line } }, NULL,
                 "the parser gave up (%d)", rc);
    free(s.section);
    free(s.name);
    free(s.key);
}

void source_read(const char *path, struct settings *out, struct diags *d)
{
    struct file f;

    if (file_read(path, (struct diag_at){ .at = { path, 0 } }, &f, d) < 0)
        return;
    source_parse((const char *)f.data, f.len, path, out, d);
    file_free(&f);
}
