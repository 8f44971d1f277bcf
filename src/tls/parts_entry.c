/* What JKS, JCEKS and PKCS#12 have in common: entries with aliases, and how what is
   wrong with one is told. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>
#include <wctype.h>

#include "base/mem.h"
#include "base/str.h"
#include "tls/own_passwords.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

const char *parts_form_text(const struct parts *p)
{
    switch (p->form) {
    case FORM_JKS: return "a Java keystore (JKS)";
    case FORM_JCEKS: return "a Java keystore (JCEKS)";
    case FORM_PKCS12: return "a PKCS#12 keystore";
    case FORM_DER: return "a DER file";
    default: return "a PEM file";
    }
}

/* --- aliases --- */

char *parts_alias(const char *utf8, size_t len)
{
    size_t room = len * 4 + 1;
    char *out = mem_zalloc(room);

    return str_escape(out, room, (struct span){ utf8, len });
}

/* NULL: it is no UTF-8. The caller's. */
static wchar_t *lower_case(const char *escaped, locale_t utf8)
{
    char *text = str_unescape(mem_strdup(escaped));
    size_t room = strlen(text) + 1;
    wchar_t *out = mem_zalloc(room * sizeof(wchar_t));
    locale_t before = uselocale(utf8);
    bool ok = mbstowcs(out, text, room) != (size_t)-1;

    uselocale(before);
    free(text);
    if (!ok) {
        free(out);
        return NULL;
    }
    for (wchar_t *c = out; *c != L'\0'; c++)
        *c = (wchar_t)towlower_l((wint_t)*c, utf8);
    return out;
}

/* As Java compares, whatever the user's language: Turkish has another small I. */
static bool same_in_lower_case(const char *a, const char *b)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

    if (utf8 == (locale_t)0)
        return false;           /* a system without it; ASCII was compared already */
    wchar_t *one = lower_case(a, utf8), *other = lower_case(b, utf8);
    bool same = one != NULL && other != NULL && wcscmp(one, other) == 0;
    free(one);
    free(other);
    freelocale(utf8);
    return same;
}

bool parts_alias_is(const char *alias, const char *written)
{
    if (alias == NULL)
        return false;
    if (strcasecmp(alias, written) == 0)
        return true;
    char *escaped = parts_alias(written, strlen(written));
    bool same = strcasecmp(alias, escaped) == 0
             || (strstr(alias, "\\x") != NULL && same_in_lower_case(alias, written));
    free(escaped);
    return same;
}

/* --- entries --- */

void parts_add_entry_cert(struct parts *p, X509 *x, char *alias, bool trusted,
                          enum entry_place place)
{
    parts_add_cert(p, x, trusted);
    p->certs[p->ncerts - 1].alias = alias;
    p->certs[p->ncerts - 1].place = place;
}

void parts_add_entry_key(struct parts *p, char *alias)
{
    p->keys = mem_grow(p->keys, p->nkeys + 1, sizeof(p->keys[0]));
    p->keys[p->nkeys++] = (struct part_key){ .alias = alias };
    p->nclosed++;
}

void parts_add_entry_secret(struct parts *p, char *alias)
{
    if (p->alien == ALIEN_NONE)
        p->alien = ALIEN_SECRET_KEY;
    if (p->use != PARTS_SHOW) {
        free(alias);
        return;
    }
    p->others = mem_grow(p->others, p->nothers + 1, sizeof(p->others[0]));
    p->others[p->nothers++] = (struct part_other){ .kind = ALIEN_SECRET_KEY, .alias = alias };
}

bool parts_entry_meant(const struct parts *p, size_t key)
{
    if (p->use == PARTS_TRUST_FILE || p->use == PARTS_CRL_FILE)
        return false;
    if (p->use == PARTS_SHOW)
        return true;
    return p->alias != NULL ? parts_alias_is(p->keys[key].alias, p->alias) : p->nkeys == 1;
}

int parts_entry_key(struct parts *p, size_t key, const PKCS8_PRIV_KEY_INFO *info,
                    struct diags *d)
{
    EVP_PKEY *k;

    sslerr_clear();
    k = EVP_PKCS82PKEY(info);
    if (k == NULL)
        return parts_entry_closed(p, key, sslerr_take_unsupported() ? KEY_UNSUPPORTED : KEY_DAMAGED,
                                  NULL, NULL, d);
    if (parts_usable_key(p, k, d) != 0) {
        EVP_PKEY_free(k);
        return -1;
    }
    p->keys[key].key = k;
    p->nclosed--;
    return 0;
}

/* --- findings --- */

static char *anew(const struct parts *p)
{
    return mem_printf("make a new keystore of it: keytool -importkeystore -srckeystore %s "
                      "-destkeystore NEW.p12 -deststoretype pkcs12", p->in->path);
}

/* Which of the two password settings the key's came from says what to do. */
static char *key_password_hint(const struct parts *p, const struct passwords *pw)
{
    char *hint = password_hint(key_password(pw), p->in->path);

    if (hint != NULL)
        return hint;
    if (pw->key != NULL)
        return mem_strdup("it is the key's own that belongs into `key_password_file`");
    return mem_strdup("it is not the keystore's: name a file that holds it: "
                      "key_password_file = FILE");
}

/* Shown is what opens: a key may have a password of its own that nobody gave, and of very
   many not each is tried. */
static bool may_stay_closed(const struct parts *p, enum key_opened why, const struct passwords *pw)
{
    if (p->use != PARTS_SHOW)
        return false;
    return why == KEY_NO_PASSWORD || why == KEY_TOO_SLOW
        || (why == KEY_WRONG_PASSWORD && (pw == NULL || pw->key == NULL));
}

int parts_entry_closed(const struct parts *p, size_t key, enum key_opened why, const char *how,
                       const struct passwords *pw, struct diags *d)
{
    const char *alias = p->keys[key].alias, *path = p->in->path;

    if (may_stay_closed(p, why, pw))
        return 0;
    char *name = alias != NULL ? mem_printf(" \"%s\"", alias) : mem_strdup(""), *hint = NULL;

    switch (why) {
    case KEY_NO_PASSWORD:
        diag_add(d, DIAG_ERROR, p->in->where,
                 "name a file that holds the password: password_file = FILE",
                 "the private key%s in %s is encrypted, and no password is given", name, path);
        break;
    case KEY_WRONG_PASSWORD:
        hint = key_password_hint(p, pw);
        diag_add(d, DIAG_ERROR, p->in->where, hint,
                 "the password does not open the private key%s in %s", name, path);
        break;
    case KEY_UNSUPPORTED:
        hint = anew(p);
        diag_add(d, DIAG_ERROR, p->in->where, hint,
                 "the private key%s in %s has a type or an encryption that is not known here%s%s",
                 name, path, how != NULL ? ": " : "", how != NULL ? how : "");
        break;
    case KEY_TOO_SLOW:
        hint = anew(p);
        diag_add(d, DIAG_ERROR, p->in->where, hint,
                 "opening the private key%s in %s takes more than the %d rounds that a file may "
                 "take, or it is damaged", name, path, PBE_ROUNDS_MAX);
        break;
    default:
        diag_add(d, DIAG_ERROR, p->in->where, "make a new copy of the file",
                 "the private key%s in %s is damaged", name, path);
        break;
    }
    free(name);
    free(hint);
    return p->use == PARTS_SHOW ? 0 : -1;       /* there are others to be shown */
}

void parts_entry_otherwise(const struct parts *p, size_t key, struct diags *d)
{
    const char *alias = p->keys[key].alias;

    if (p->use == PARTS_SHOW)
        diag_add(d, DIAG_ERROR, p->in->where, "key_password_file can be left out",
                 "the password of key_password_file does not open the private key%s%s%s in %s; "
                 "the keystore's own does", alias != NULL ? " \"" : "", alias != NULL ? alias : "",
                 alias != NULL ? "\"" : "", p->in->path);
}

int parts_needs_password(const struct parts *p, struct diags *d)
{
    diag_add(d, DIAG_ERROR, p->in->where,
             "name a file that holds its password: password_file = FILE",
             "%s is %s, and needs a password", p->in->path, parts_form_text(p));
    return -1;
}

int parts_wrong_password(const struct parts *p, const struct passwords *pw, struct diags *d)
{
    char *hint = password_hint(pw->store, p->in->path);

    if (hint == NULL)
        hint = mem_printf("try it by hand: keytool -list -keystore %s", p->in->path);
    diag_add(d, DIAG_ERROR, p->in->where, hint,
             "the password does not open %s (%s), or the file was changed since it was made",
             p->in->path, parts_form_text(p));
    free(hint);
    return -1;
}

int parts_damaged(const struct parts *p, const char *why, struct diags *d)
{
    diag_add(d, DIAG_ERROR, p->in->where, "make a new copy of the file",
             "%s is %s, but damaged: %s", p->in->path, parts_form_text(p), why);
    return -1;
}

void parts_unchecked(const struct parts *p, struct diags *d)
{
    diag_add(d, p->use == PARTS_SHOW ? DIAG_NOTE : DIAG_WARNING, p->in->where,
             "name a file that holds its password: password_file = FILE",
             "%s is used without its password, so nothing shows whether it was changed",
             p->in->path);
}
