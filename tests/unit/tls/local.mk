# unit tests of src/tls
check_PROGRAMS += unit_tls
TESTS += unit_tls
unit_tls_SOURCES = \
	tests/unit/tls/certs.c tests/unit/tls/certs.h \
	tests/unit/tls/handshake.c tests/unit/tls/handshake.h \
	tests/unit/tls/test_certinfo.c \
	tests/unit/tls/test_certs.c \
	tests/unit/tls/test_ctx.c \
	tests/unit/tls/test_ctx_words.c \
	tests/unit/tls/test_facts.c \
	tests/unit/tls/test_failure.c \
	tests/unit/tls/test_failure_alert.c \
	tests/unit/tls/test_failure_cert.c \
	tests/unit/tls/test_guess.c \
	tests/unit/tls/test_identity.c \
	tests/unit/tls/test_issue.c \
	tests/unit/tls/test_keypair.c \
	tests/unit/tls/test_load.c \
	tests/unit/tls/test_load_forms.c \
	tests/unit/tls/test_load_trust.c \
	tests/unit/tls/test_seeds.c \
	tests/unit/tls/test_trust.c
unit_tls_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests/unit/tls
unit_tls_CFLAGS = $(UNIT_CFLAGS)
unit_tls_LDADD = libtls.a libproto.a libnet.a libbase.a $(UNIT_LDADD_TAIL)
