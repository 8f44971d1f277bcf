# unit tests of src/tls
check_PROGRAMS += unit_tls
TESTS += unit_tls
unit_tls_SOURCES = \
	tests/unit/tls/certs.c tests/unit/tls/certs.h \
	tests/unit/tls/handshake.c tests/unit/tls/handshake.h \
	tests/unit/tls/keystores.c tests/unit/tls/keystores.h \
	tests/unit/tls/test_certinfo.c \
	tests/unit/tls/test_certs.c \
	tests/unit/tls/test_client.c \
	tests/unit/tls/test_ctx.c \
	tests/unit/tls/test_ctx_words.c \
	tests/unit/tls/test_describe.c \
	tests/unit/tls/test_facts.c \
	tests/unit/tls/test_failure.c \
	tests/unit/tls/test_failure_alert.c \
	tests/unit/tls/test_failure_cert.c \
	tests/unit/tls/test_guess.c \
	tests/unit/tls/test_identity.c \
	tests/unit/tls/test_issue.c \
	tests/unit/tls/test_key_uri.c \
	tests/unit/tls/test_keypair.c \
	tests/unit/tls/test_load.c \
	tests/unit/tls/test_load_crl.c \
	tests/unit/tls/test_load_forms.c \
	tests/unit/tls/test_load_jks.c \
	tests/unit/tls/test_load_p12.c \
	tests/unit/tls/test_load_trust.c \
	tests/unit/tls/test_own_passwords.c \
	tests/unit/tls/test_rehearsal.c \
	tests/unit/tls/test_seeds.c \
	tests/unit/tls/test_ticket.c \
	tests/unit/tls/test_ticket_file.c \
	tests/unit/tls/test_trust.c \
	tests/unit/tls/test_verify.c
unit_tls_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/unit/tls \
	-DTOP_SRCDIR='"$(abs_top_srcdir)"'
unit_tls_CFLAGS = $(UNIT_CFLAGS)
unit_tls_LDADD = libtls.a libproto.a libnet.a libbase.a $(UNIT_LDADD_TAIL)

# keystores that keytool and openssl made
EXTRA_DIST += \
	tests/unit/tls/data/behind.jceks tests/unit/tls/data/between.jceks \
	tests/unit/tls/data/secret.p12 \
	tests/unit/tls/data/cas.p12 tests/unit/tls/data/clear.p12 tests/unit/tls/data/dsa.jks \
	tests/unit/tls/data/empty.p12 tests/unit/tls/data/java8.p12 \
	tests/unit/tls/data/keypass.jceks tests/unit/tls/data/keypass.jks \
	tests/unit/tls/data/legacy.p12 tests/unit/tls/data/make-fixtures \
	tests/unit/tls/data/names.jceks tests/unit/tls/data/names.jks \
	tests/unit/tls/data/names.p12 tests/unit/tls/data/nomac.p12 \
	tests/unit/tls/data/noname.p12 tests/unit/tls/data/one.jceks tests/unit/tls/data/one.jks \
	tests/unit/tls/data/one.p12 tests/unit/tls/data/open.p12 tests/unit/tls/data/plain.p12 \
	tests/unit/tls/data/rsa.jks tests/unit/tls/data/secret.jceks \
	tests/unit/tls/data/several.jceks tests/unit/tls/data/several.jks \
	tests/unit/tls/data/several.p12 tests/unit/tls/data/trusted.jceks \
	tests/unit/tls/data/trusted.jks tests/unit/tls/data/trusted.p12 \
	tests/unit/tls/data/v1.p12
