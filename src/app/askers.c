#include "app/askers.h"

#include <stdlib.h>

#include "base/mem.h"

struct asker {
    reload_asked_fn *done;
    void *arg;
    bool begun;                 /* the load under way began after the asking */
};

void askers_add(struct askers *s, reload_asked_fn *done, void *arg)
{
    s->v = mem_grow(s->v, s->n + 1, sizeof(s->v[0]));
    s->v[s->n++] = (struct asker){ done, arg, false };
}

void askers_begin(struct askers *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->v[i].begun = true;
}

void askers_tell(struct askers *s, bool ok, uint64_t generation, const struct diags *d)
{
    struct askers all = *s;

    *s = (struct askers){ 0 };
    for (size_t i = 0; i < all.n; i++)
        if (!all.v[i].begun)
            askers_add(s, all.v[i].done, all.v[i].arg);
    for (size_t i = 0; i < all.n; i++)
        if (all.v[i].begun)
            all.v[i].done(all.v[i].arg, ok, generation, d);
    free(all.v);
}

void askers_refuse(struct askers *s, uint64_t generation)
{
    struct diags d = { 0 };

    diag_add(&d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "sallyport is ending");
    askers_begin(s);
    askers_tell(s, false, generation, &d);
    diags_free(&d);
}
