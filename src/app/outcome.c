#include "app/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/memfile.h"
#include "base/mem.h"
#include "base/pack.h"

#define OUTCOME_MAX (16u * 1024 * 1024)

int outcome_write(const struct outcome *o)
{
    struct pack k = { 0 };
    char *findings;
    size_t len;

    diags_pack(&o->findings, &findings, &len);
    pack_u32(&k, o->ok);
    pack_u64(&k, o->generation);
    pack_bytes(&k, findings, len);
    int fd = memfile_write("outcome", k.p, k.len);
    free(findings);
    pack_free(&k);
    return fd;
}

bool outcome_read(int fd, struct outcome *out)
{
    size_t len = 0;
    uint8_t *bytes = memfile_read(fd, OUTCOME_MAX, &len);
    struct unpack u = { bytes, bytes ? len : 0, bytes == NULL };

    *out = (struct outcome){ .ok = unpack_u32(&u) != 0, .generation = unpack_u64(&u) };
    bool good = !u.bad && diags_unpack((const char *)u.p, u.left, &out->findings);
    free(bytes);
    if (!good)
        outcome_free(out);
    return good;
}

void outcome_free(struct outcome *o)
{
    diags_free(&o->findings);
}

static FILE *begin(char **text, size_t *len)
{
    FILE *f = open_memstream(text, len);

    if (f == NULL)
        abort();                /* as base/mem.h does when memory is out */
    return f;
}

char *outcome_json(const struct outcome *o, size_t *len)
{
    char *text;
    FILE *f = begin(&text, len);

    fprintf(f, "{\"ok\": %s, \"generation\": %" PRIu64 ", \"findings\": ",
            o->ok ? "true" : "false", o->generation);
    diags_print_json(&o->findings, f);
    fputs("}\n", f);
    fclose(f);
    return text;
}

char *outcome_text(const struct outcome *o, size_t *len)
{
    char *text;
    FILE *f = begin(&text, len);

    diags_print(&o->findings, f);
    fprintf(f, o->ok ? "generation %" PRIu64 " is in force\n"
                     : "reload failed: generation %" PRIu64 " stays in force\n", o->generation);
    fclose(f);
    return text;
}
