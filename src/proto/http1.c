#include "proto/http1.h"

#include <string.h>
#include <strings.h>

/* RFC 9110 5.6.2 */
static bool is_tchar(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_tchar(s.p[i]))
            return false;
    return s.len > 0;
}

static bool same_word(struct span s, const char *word)
{
    return strlen(word) == s.len && strncasecmp(s.p, word, s.len) == 0;
}

static struct span after(struct span s, size_t n)
{
    return (struct span){ s.p + n, s.len - n };
}

static size_t empty_lines(const char *p, size_t len)
{
    size_t n = 0;

    while (len - n >= 2 && p[n] == '\r' && p[n + 1] == '\n')
        n += 2;
    return n;
}

/* A line that ends in a bare LF ends the head too, so that its sender is told at
   once; http1_request() refuses it. */
size_t http1_head_end(const char *p, size_t len, size_t *seen)
{
    size_t lead = empty_lines(p, len);

    for (size_t i = *seen > lead ? *seen : lead; i < len; i++) {
        if (p[i] != '\n')
            continue;
        size_t end = i > lead && p[i - 1] == '\r' ? i - 1 : i;
        if (end == lead || p[end - 1] == '\n')
            return i + 1;
    }
    *seen = len;
    return 0;
}

/* Take one line off the front of *rest, without its CRLF. False if it has no
   proper end. */
static bool next_line(struct span *rest, struct span *line)
{
    const char *lf = memchr(rest->p, '\n', rest->len);

    if (lf == NULL || lf == rest->p || lf[-1] != '\r')
        return false;
    *line = (struct span){ rest->p, (size_t)(lf - rest->p) - 1 };
    *rest = after(*rest, line->len + 2);
    return true;
}

static struct span cut_at(struct span s, const char *stops)
{
    size_t n = 0;

    while (n < s.len && (s.p[n] == '\0' || strchr(stops, s.p[n]) == NULL))
        n++;
    return (struct span){ s.p, n };
}

/* origin-form, absolute-form, authority-form (CONNECT alone), asterisk-form. */
static bool read_target(struct http1_request *r)
{
    struct span t = r->target;

    for (size_t i = 0; i < t.len; i++)
        if (t.p[i] <= 0x20 || t.p[i] >= 0x7f || t.p[i] == '#')
            return false;
    if (t.len == 0)
        return false;
    r->path = (struct span){ t.p, 0 };
    if (str_eq(r->method, "CONNECT"))
        return t.p[0] != '/' && t.p[0] != '*';
    if (t.p[0] == '/') {
        r->path = cut_at(t, "?");
        return true;
    }
    if (str_eq(t, "*")) {
        r->path = t;
        return str_eq(r->method, "OPTIONS");
    }

    struct span scheme = cut_at(t, ":");
    struct span rest = after(t, scheme.len);
    if (rest.len < 4 || memcmp(rest.p, "://", 3) != 0)
        return false;
    rest = after(rest, 3);
    struct span host = cut_at(rest, "/?");
    r->path = cut_at(after(rest, host.len), "?");
    if (r->path.len == 0)
        r->path = (struct span){ "/", 1 };
    return host.len > 0 && (same_word(scheme, "http") || same_word(scheme, "https"));
}

static unsigned read_request_line(struct span line, struct http1_request *r, const char **why)
{
    static const char name[] = "HTTP/";
    const size_t len = sizeof(name) - 1;

    r->method = cut_at(line, " ");
    *why = "the request line has no method";
    if (!is_token(r->method) || r->method.len == line.len)
        return 400;
    line = after(line, r->method.len + 1);
    r->target = cut_at(line, " ");
    *why = "the request line is not \"method target version\"";
    if (r->target.len == line.len)
        return 400;
    line = after(line, r->target.len + 1);

    *why = "the request line does not end in an HTTP version";
    if (line.len != len + 3 || memcmp(line.p, name, len) != 0 || line.p[len + 1] != '.')
        return 400;
    char major = line.p[len], minor = line.p[len + 2];
    if (major < '0' || major > '9' || minor < '0' || minor > '9')
        return 400;
    *why = "only HTTP/1.0 and HTTP/1.1 are spoken here";
    if (major != '1')
        return 505;
    r->minor = (unsigned)(minor - '0');

    *why = "the request target is not one";
    return read_target(r) ? 0 : 400;
}

/* One header line (without CRLF): name ":" value. */
static bool split_field(struct span line, struct span *name, struct span *value)
{
    *name = cut_at(line, ":");
    if (name->len == line.len || !is_token(*name))
        return false;
    *value = after(line, name->len + 1);
    for (size_t i = 0; i < value->len; i++) {
        unsigned char c = (unsigned char)value->p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    *value = str_trim(*value);
    return true;
}

bool http1_field_next(struct span *rest, struct span *name, struct span *value)
{
    struct span line;

    return rest->len > 0 && next_line(rest, &line) && split_field(line, name, value);
}

bool http1_field(const struct http1_request *r, const char *name, struct span *value)
{
    struct span rest = r->fields, n;

    while (http1_field_next(&rest, &n, value))
        if (same_word(n, name))
            return true;
    return false;
}

bool http1_list_has(struct span list, const char *word)
{
    struct span item;

    while (str_next(&list, ',', &item))
        if (same_word(str_trim(cut_at(item, ";")), word))
            return true;
    return false;
}

/* What has been seen of the fields that decide where the message ends. */
struct framing {
    unsigned hosts, lengths, encodings;
    bool chunked, close, keep_alive;
};

static unsigned read_field(struct span name, struct span value, struct http1_request *r,
                           struct framing *f, const char **why)
{
    if (same_word(name, "host")) {
        f->hosts++;
    } else if (same_word(name, "content-length")) {
        f->lengths++;
        *why = "Content-Length is not a number";
        if (!str_u64(value, INT64_MAX, &r->body_length))
            return 400;
    } else if (same_word(name, "transfer-encoding")) {
        f->encodings++;
        *why = "the transfer coding is not known here";
        if (!same_word(value, "chunked"))
            return 501;
    } else if (same_word(name, "connection")) {
        f->close = f->close || http1_list_has(value, "close");
        f->keep_alive = f->keep_alive || http1_list_has(value, "keep-alive");
    } else if (same_word(name, "expect")) {
        r->expect_continue = same_word(value, "100-continue");
    }
    return 0;
}

static unsigned judge_framing(const struct framing *f, struct http1_request *r, const char **why)
{
    *why = "an HTTP/1.1 request needs exactly one Host";
    if (f->hosts > 1 || (f->hosts == 0 && r->minor > 0))
        return 400;
    *why = "Content-Length is given twice";
    if (f->lengths > 1)
        return 400;
    *why = "Content-Length and Transfer-Encoding exclude each other";
    if (f->lengths > 0 && f->encodings > 0)
        return 400;
    *why = "Transfer-Encoding is given twice, or in an HTTP/1.0 request";
    if (f->encodings > 1 || (f->encodings > 0 && r->minor == 0))
        return 400;

    if (f->encodings > 0)
        r->body = HTTP1_BODY_CHUNKED;
    else if (f->lengths > 0)
        r->body = HTTP1_BODY_LENGTH;
    r->keep_alive = !f->close && (r->minor > 0 || f->keep_alive);
    *why = NULL;
    return 0;
}

unsigned http1_request(struct span head, struct http1_request *out, const char **why)
{
    struct framing f = { 0 };
    struct span rest = after(head, empty_lines(head.p, head.len)), line;

    memset(out, 0, sizeof(*out));
    *why = "a line does not end in CR LF";
    if (!next_line(&rest, &line))
        return 400;
    unsigned status = read_request_line(line, out, why);
    out->fields = rest;
    while (status == 0) {
        *why = "a line does not end in CR LF";
        if (!next_line(&rest, &line))
            return 400;
        if (line.len == 0)
            break;
        struct span name, value;
        *why = "a header line is not \"name: value\"";
        if (!split_field(line, &name, &value))
            return 400;
        status = read_field(name, value, out, &f, why);
    }
    if (status != 0)
        return status;
    out->fields.len = (size_t)(line.p - out->fields.p);
    return judge_framing(&f, out, why);
}

void http1_date(time_t at, char out[HTTP1_DATE_MAX])
{
    struct tm tm;

    if (gmtime_r(&at, &tm) == NULL
        || strftime(out, HTTP1_DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
        out[0] = '\0';
}
