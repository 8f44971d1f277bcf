#include "app/inputs.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/uri.h"
#include "conf/file.h"
#include "conf/schema.h"

#define MEMORY_PREFIX "memory:"

/* A file or password that was asked for; each is read once, and complained of
   once, however many keys name it (fd:N could not be read a second time). */
struct read_once {
    char *name;
    bool password, ok;
    struct file file;
};

struct inputs {
    const struct load_plan *plan;
    struct load_report *report; /* NULL: there is no next time */
    struct diags *d;
    struct read_once **v;
    size_t n;
};

static struct read_once *remember(struct inputs *l, const char *name, bool password)
{
    struct read_once *r = mem_zalloc(sizeof(*r));

    r->name = mem_strdup(name);
    r->password = password;
    l->v = mem_grow(l->v, l->n + 1, sizeof(struct read_once *));
    l->v[l->n++] = r;
    return r;
}

static struct read_once *recall(const struct inputs *l, const char *name, bool password)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i]->password == password && strcmp(l->v[i]->name, name) == 0)
            return l->v[i];
    return NULL;
}

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static const struct mem_file *in_memory(const struct load_plan *p, const char *path)
{
    for (size_t i = 0; i < p->nfiles; i++)
        if (strcmp(p->files[i].path, path) == 0)
            return &p->files[i];
    return NULL;
}

static void note(struct load_report *r, const char *path, uint64_t mark)
{
    r->read = mem_grow(r->read, r->nread + 1, sizeof(r->read[0]));
    r->read[r->nread++] = (struct watch_path){ mem_strdup(path), mark };
}

void inputs_note(struct inputs *l, const char *path)
{
    if (l->report != NULL)
        note(l->report, path, watch_mark(path));
}

void inputs_note_dir(struct inputs *l, const char *path)
{
    if (l->report != NULL)
        note(l->report, path, l->plan->again ? WATCH_UNKNOWN : watch_mark(path));
}

bool inputs_file(struct inputs *l, const char *path, struct diag_at where, struct tls_input *out)
{
    *out = (struct tls_input){ .path = path, .where = where };
    if (has_prefix(path, MEMORY_PREFIX)) {
        const struct mem_file *m = in_memory(l->plan, path);
        if (m == NULL) {
            diag_add(l->d, DIAG_ERROR, where, NULL, "there is no such file in memory");
            return false;
        }
        out->data = m->data;
        out->len = m->len;
        return true;
    }

    struct read_once *r = recall(l, path, false);
    if (r == NULL) {
        r = remember(l, path, false);
        inputs_note(l, path);
        r->ok = file_read(path, where, &r->file, l->d) == 0;
    }
    out->data = r->file.data;
    out->len = r->file.len;
    out->time = r->file.time;
    out->mode = r->file.mode;
    out->exposed = r->file.exposed;
    return r->ok;
}

static void keep_pipe(struct inputs *l, const char *spec, const struct file *f)
{
    struct span digits = { spec + strlen("fd:"), strlen(spec) - strlen("fd:") };
    struct loader_pipes *p = l->report ? &l->report->pipes : NULL;
    uint64_t number;

    if (p == NULL || p->n == LOADER_PIPES_MAX || !str_u64(digits, INT_MAX, &number)
        || lseek((int)number, 0, SEEK_CUR) >= 0)
        return;

    int copy = memfd_create("password", MFD_CLOEXEC);
    if (copy >= 0 && write(copy, f->data, f->len) == (ssize_t)f->len) {
        p->number[p->n] = (int)number;
        p->copy[p->n++] = copy;
    } else if (copy >= 0) {
        close(copy);
    }
}

static void warn_exposed(struct inputs *l, struct diag_at where, const struct file *f)
{
    char *hint = mem_printf("chmod o-rwx %s", f->path);

    diag_add(l->d, DIAG_WARNING, where, hint,
             "%s: everybody on this machine can read the password (mode %04o)", f->path, f->mode);
    free(hint);
}

bool inputs_password(struct inputs *l, const struct conf_head *head, enum conf_key key,
                     const char *spec, const char **out)
{
    *out = NULL;
    if (spec == NULL)
        return true;

    struct read_once *r = recall(l, spec, true);
    if (r == NULL) {
        r = remember(l, spec, true);
        if (!has_prefix(spec, "fd:") && !has_prefix(spec, "env:"))
            inputs_note(l, spec);
        r->ok = file_password(spec, conf_at(head, key, spec), &r->file, l->d) == 0;
        if (r->ok && r->file.exposed)
            warn_exposed(l, conf_at(head, key, spec), &r->file);
        if (r->ok && has_prefix(spec, "fd:"))
            keep_pipe(l, spec, &r->file);
    }
    *out = (const char *)r->file.data;
    return r->ok;
}

/* What a URI names is no file, and whoever can open it does: nothing is read here. */
static bool input_of(struct inputs *l, enum conf_type type, const char *name,
                     struct diag_at where, struct tls_input *out)
{
    struct span text = { name, strlen(name) };

    if (type != TYPE_KEY || uri_scheme(text) == 0 || has_prefix(name, MEMORY_PREFIX))
        return inputs_file(l, name, where, out);
    *out = (struct tls_input){ .path = name, .uri = true, .where = where };
    return true;
}

bool inputs_files(struct inputs *l, const struct conf_head *head, enum conf_key key,
                  const struct conf_strs *paths, struct tls_input **out)
{
    bool ok = true;

    *out = mem_zalloc(paths->n * sizeof(struct tls_input));
    for (size_t i = 0; i < paths->n; i++)
        ok &= input_of(l, conf_keys[key].type, paths->v[i], conf_at(head, key, paths->v[i]),
                       &(*out)[i]);
    return ok;
}

struct inputs *inputs_new(const struct load_plan *plan, struct load_report *report,
                          struct diags *d)
{
    struct inputs *l = mem_zalloc(sizeof(*l));

    *l = (struct inputs){ .plan = plan, .report = report, .d = d };
    return l;
}

void load_report_free(struct load_report *r)
{
    for (size_t i = 0; i < r->nread; i++)
        free(r->read[i].path);
    free(r->read);
    r->read = NULL;
    r->nread = 0;
}

void inputs_free(struct inputs *l)
{
    for (size_t i = 0; i < l->n; i++) {
        file_free(&l->v[i]->file);
        free(l->v[i]->name);
        free(l->v[i]);
    }
    free(l->v);
    free(l);
}
