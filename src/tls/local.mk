# sources of this layer
noinst_LIBRARIES += libtls.a
libtls_a_SOURCES = \
	src/tls/certinfo.c src/tls/certinfo.h \
	src/tls/admission.c src/tls/admission.h \
	src/tls/client.c src/tls/client.h \
	src/tls/certs.c src/tls/certs.h \
	src/tls/chain.c src/tls/chain.h \
	src/tls/ctx.c src/tls/ctx.h \
	src/tls/describe.c src/tls/describe.h \
	src/tls/describe_words.c src/tls/describe_words.h \
	src/tls/digest.c src/tls/digest.h \
	src/tls/entry.c src/tls/entry.h \
	src/tls/facts.c src/tls/facts.h \
	src/tls/failure.c src/tls/failure.h src/tls/failures.tbl \
	src/tls/failure_map.h src/tls/failure_server.c src/tls/failure_server.h \
	src/tls/failure_facts.c src/tls/failure_facts.h \
	src/tls/guess.c src/tls/guess.h \
	src/tls/identity.c src/tls/identity.h \
	src/tls/issue.c src/tls/issue.h \
	src/tls/jks_crypt.c src/tls/jks_crypt.h \
	src/tls/judge.c src/tls/judge.h \
	src/tls/key_decoder.c src/tls/key_decoder.h \
	src/tls/key_engine.c src/tls/key_engine.h \
	src/tls/key_uri.c src/tls/key_uri.h \
	src/tls/keypair.c src/tls/keypair.h \
	src/tls/load.c src/tls/load.h src/tls/load_crl.c src/tls/load_trust.c \
	src/tls/material.h \
	src/tls/notes.c src/tls/notes.h \
	src/tls/own_passwords.c src/tls/own_passwords.h \
	src/tls/pair_cache.c src/tls/pair_cache.h \
	src/tls/pairs.c src/tls/pairs.h \
	src/tls/parts.c src/tls/parts.h src/tls/parts_alien.c \
	src/tls/parts_der.c src/tls/parts_entry.c src/tls/parts_jks.c \
	src/tls/parts_key.c src/tls/parts_p12.c src/tls/parts_pem.c \
	src/tls/pbe.c src/tls/pbe.h \
	src/tls/policy.h \
	src/tls/revocation.c src/tls/revocation.h \
	src/tls/rehearsal.c src/tls/rehearsal.h \
	src/tls/sessions.c src/tls/sessions.h \
	src/tls/sslerr.c src/tls/sslerr.h \
	src/tls/suites.c src/tls/suites.h \
	src/tls/terms.h \
	src/tls/ticket.c src/tls/ticket.h \
	src/tls/ticket_file.c src/tls/ticket_file.h \
	src/tls/tls_conn.h src/tls/tls_connect.c \
	src/tls/tls_stream.c src/tls/tls_stream.h \
	src/tls/trust.c src/tls/trust.h \
	src/tls/verify.c src/tls/verify.h
