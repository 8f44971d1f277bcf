/*
 * stores_state: a store on its way into the bundle, for the parts of stores.
 *
 *   stores.c           a pair: its files, what is in force, how it is judged
 *   stores_folder.c    a folder of pairs: of which files each is made, what has changed
 */
#ifndef SALLYPORT_APP_STORES_STATE_H
#define SALLYPORT_APP_STORES_STATE_H

#include "app/stores.h"
#include "tls/key_decoder.h"
#include "tls/load.h"
#include "tls/pairs.h"

struct stores {
    struct inputs *inputs;
    struct bundle *running;
    struct inventory *before;
    const struct watch_changes *changes;        /* NULL: anything may have changed */
    struct bundle *out;
    struct diags *d;
    struct key_decoder *decoder;
    struct digester *digester;
    int64_t now_ns;
    bool notes;
    bool refused;               /* a token */
    bool doubtful;              /* what was read may be half of it */
};

/* An expired pair of a folder, on which is decided when all pairs are known. */
struct late {
    char *sha256;               /* of its certificate */
    struct diags findings;      /* if nothing else is served in its stead */
};

/* One store, as it is being added. */
struct adding {
    struct stores *s;
    const struct conf_store *st;
    struct passwords pw;
    struct inventory *before;   /* what is in force, of all or of the unit that is read */
    struct pack records;
    struct pair *old;           /* of the running bundle's store, in order */
    size_t nold;
    char *noted;                /* keypair_rules */
    bool exposed;               /* of the folder, a key that lies open was warned of */
    struct late *late;
    size_t nlate;
    struct diags strays;        /* of the folder, what is passed over */
    size_t next;                /* of old: where the one looked for most likely is */
};

/* The pairs of these files, judged, become records of the unit. */
void stores_load(struct adding *a, struct store_input *in, const struct pair_unit *unit);

/* The records of a unit in the running bundle; their number. */
size_t stores_find_old(struct adding *a, const char *name, struct pair **out);

/* Whether a chain among the records from `mark` on is shorter than the one of its file among
   the old ones: then what was read may be half of it. */
void stores_compare_chains(struct adding *a, size_t mark, const struct pair *old, size_t n);

void stores_add_folder(struct adding *a, const char *path);

#endif
