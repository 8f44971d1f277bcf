#include "proxy/page_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FACTS_MAX 16

/* One line of the page: `value` NULL is shown as `none`, and is null in JSON;
   `bare` values are a number or a truth value there. */
struct fact {
    const char *key, *label, *value, *none;
    bool bare;
};

struct numbers {
    char connection[24], not_after[32];
};

static void date_text(int64_t seconds, char *out, size_t cap)
{
    time_t t = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}

static size_t list_facts(const struct page_facts *f, struct numbers *n, struct fact out[FACTS_MAX])
{
    snprintf(n->connection, sizeof(n->connection), "%" PRIx64, f->connection);
    if (f->not_after != 0)
        date_text(f->not_after, n->not_after, sizeof(n->not_after));
    const struct fact facts[] = {
        { "version", "TLS version", f->version, "not TLS", false },
        { "suite", "Cipher suite", f->suite, "unknown", false },
        { "group", "Key exchange group", f->group, "unknown", false },
        { "resumed", "Session resumed", f->resumed ? "true" : "false", NULL, true },
        { "sni", "Server name (SNI)", f->sni, "none sent", false },
        { "alpn", "Protocol (ALPN)", f->alpn, "none agreed", false },
        { "identity", "Client identity", f->identity, "no client certificate", false },
        { "subject", "Client certificate", f->subject, "none", false },
        { "not_after", "Valid until", f->not_after != 0 ? n->not_after : NULL, "none", false },
        { "client", "Client address", f->client, "unknown", false },
        { "listener", "Listener", f->listener, "unknown", false },
        { "route", "Route", f->route, "unknown", false },
        { "connection", "Connection", n->connection, NULL, false },
    };

    _Static_assert(sizeof(facts) <= FACTS_MAX * sizeof(facts[0]), "FACTS_MAX is too small");
    memcpy(out, facts, sizeof(facts));
    return sizeof(facts) / sizeof(facts[0]);
}

/* As str_escape() has it. */
static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '\\';
}

static void put_html(FILE *o, const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        switch (c) {
        case '&': fputs("&amp;", o); break;
        case '<': fputs("&lt;", o); break;
        case '>': fputs("&gt;", o); break;
        case '"': fputs("&quot;", o); break;
        case '\'': fputs("&#39;", o); break;
        default:
            if (plain(c))
                fputc(c, o);
            else
                fprintf(o, "\\x%02x", c);
        }
    }
}

static void put_json(FILE *o, const char *s)
{
    fputc('"', o);
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"')
            fputs("\\\"", o);
        else if (plain(c))
            fputc(c, o);
        else
            fprintf(o, "\\\\x%02x", c);
    }
    fputc('"', o);
}

static void put_plain(FILE *o, const char *s)
{
    for (; *s != '\0'; s++)
        fprintf(o, plain((unsigned char)*s) ? "%c" : "\\x%02x", (unsigned char)*s);
}

/* Without memory there is no text. */
static char *finish(FILE *o, char **text)
{
    bool failed = ferror(o) != 0;

    if (fclose(o) != 0 || failed) {
        free(*text);
        *text = NULL;
    }
    return *text;
}

static const char html_head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>sallyport: this connection</title>\n"
    "<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}\n"
    "h1{font-size:1.4rem;margin-bottom:.2rem}\n"
    "dl{display:grid;grid-template-columns:minmax(9rem,max-content) 1fr;gap:0 1.5rem}\n"
    "dt,dd{margin:0;padding:.4rem 0;border-top:1px solid #ddd}\n"
    "dt{color:#555}\n"
    "dd{font-family:ui-monospace,monospace;overflow-wrap:anywhere}\n"
    "@media(max-width:32rem){dl{display:block}dt{padding-bottom:0}dd{padding-top:0;border:0}}\n"
    "@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#151515}dt{color:#aaa}"
    "dt,dd{border-color:#333}a{color:#8ab4f8}}\n"
    "</style>\n"
    "</head>\n"
    "<body>\n"
    "<h1>sallyport</h1>\n"
    "<p>What the proxy knows of the connection that brought you here (also as"
    " <a href=\"/json\">JSON</a>).</p>\n"
    "<dl>\n";

static void html_fact(FILE *o, const struct fact *f, bool first)
{
    (void)first;
    fprintf(o, "<dt>%s</dt><dd>", f->label);
    put_html(o, f->value != NULL ? f->value : f->none);
    fputs("</dd>\n", o);
}

static void plain_fact(FILE *o, const struct fact *f, bool first)
{
    (void)first;
    fprintf(o, "%-20s", f->label);
    put_plain(o, f->value != NULL ? f->value : f->none);
    fputc('\n', o);
}

static void json_fact(FILE *o, const struct fact *f, bool first)
{
    fprintf(o, "%s  \"%s\": ", first ? "" : ",\n", f->key);
    if (f->value == NULL || f->bare)
        fputs(f->value != NULL ? f->value : "null", o);
    else
        put_json(o, f->value);
}

/* A form is its frame, and how one fact stands in it. */
static char *render(const struct page_facts *f, size_t *len, const char *head,
                    void (*put)(FILE *, const struct fact *, bool first), const char *tail)
{
    struct numbers numbers;
    struct fact facts[FACTS_MAX];
    size_t n = list_facts(f, &numbers, facts);
    char *text = NULL;
    FILE *o = open_memstream(&text, len);

    if (o == NULL)
        return NULL;
    fputs(head, o);
    for (size_t i = 0; i < n; i++)
        put(o, &facts[i], i == 0);
    fputs(tail, o);
    return finish(o, &text);
}

char *page_html(const struct page_facts *f, size_t *len)
{
    return render(f, len, html_head, html_fact, "</dl>\n</body>\n</html>\n");
}

char *page_plain(const struct page_facts *f, size_t *len)
{
    return render(f, len, "sallyport: what the proxy knows of this connection\n\n", plain_fact, "");
}

char *page_json(const struct page_facts *f, size_t *len)
{
    return render(f, len, "{\n", json_fact, "\n}\n");
}
