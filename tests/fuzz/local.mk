# Fuzz targets. Replayed over their seeds by make check; fuzzers with --enable-fuzz.
fuzz_common = tests/fuzz/fuzz.c tests/fuzz/fuzz.h
fuzz_cppflags = $(AM_CPPFLAGS) -I$(srcdir)/tests/fuzz -DTOP_SRCDIR='"$(abs_top_srcdir)"'
fuzz_ldadd = libtls.a libproto.a libnet.a libbase.a $(OPENSSL_LIBS) $(LIBEVENT_LIBS) $(CARES_LIBS)

check_PROGRAMS += replay_jks replay_p12 replay_pem
TESTS += replay_jks replay_p12 replay_pem

replay_jks_SOURCES = tests/fuzz/fuzz_jks.c tests/fuzz/replay.c $(fuzz_common)
replay_jks_CPPFLAGS = $(fuzz_cppflags) -DTARGET='"jks"'
replay_jks_LDADD = $(fuzz_ldadd)
replay_p12_SOURCES = tests/fuzz/fuzz_p12.c tests/fuzz/replay.c $(fuzz_common)
replay_p12_CPPFLAGS = $(fuzz_cppflags) -DTARGET='"p12"'
replay_p12_LDADD = $(fuzz_ldadd)
replay_pem_SOURCES = tests/fuzz/fuzz_pem.c tests/fuzz/replay.c $(fuzz_common)
replay_pem_CPPFLAGS = $(fuzz_cppflags) -DTARGET='"pem"'
replay_pem_LDADD = $(fuzz_ldadd)

check_PROGRAMS += replay_hello
TESTS += replay_hello
replay_hello_SOURCES = tests/fuzz/fuzz_hello.c tests/fuzz/replay.c $(fuzz_common)
replay_hello_CPPFLAGS = $(fuzz_cppflags) -DTARGET='"hello"'
replay_hello_LDADD = $(fuzz_ldadd)

check_PROGRAMS += replay_proxyhdr
TESTS += replay_proxyhdr
replay_proxyhdr_SOURCES = tests/fuzz/fuzz_proxyhdr.c tests/fuzz/replay.c $(fuzz_common)
replay_proxyhdr_CPPFLAGS = $(fuzz_cppflags) -DTARGET='"proxyhdr"'
replay_proxyhdr_LDADD = $(fuzz_ldadd)

check_PROGRAMS += replay_probe
TESTS += replay_probe
replay_probe_SOURCES = tests/fuzz/fuzz_probe.c tests/fuzz/replay.c $(fuzz_common)
replay_probe_CPPFLAGS = $(fuzz_cppflags) -DTARGET='"probe"'
replay_probe_LDADD = $(fuzz_ldadd)

if FUZZ
noinst_PROGRAMS = fuzz_jks fuzz_p12 fuzz_pem
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer,address

fuzz_jks_SOURCES = tests/fuzz/fuzz_jks.c $(fuzz_common)
fuzz_jks_CPPFLAGS = $(fuzz_cppflags)
fuzz_jks_LDADD = $(fuzz_ldadd)
fuzz_jks_LDFLAGS = $(fuzz_ldflags)
fuzz_p12_SOURCES = tests/fuzz/fuzz_p12.c $(fuzz_common)
fuzz_p12_CPPFLAGS = $(fuzz_cppflags)
fuzz_p12_LDADD = $(fuzz_ldadd)
fuzz_p12_LDFLAGS = $(fuzz_ldflags)
fuzz_pem_SOURCES = tests/fuzz/fuzz_pem.c $(fuzz_common)
fuzz_pem_CPPFLAGS = $(fuzz_cppflags)
fuzz_pem_LDADD = $(fuzz_ldadd)
fuzz_pem_LDFLAGS = $(fuzz_ldflags)
noinst_PROGRAMS += fuzz_hello
fuzz_hello_SOURCES = tests/fuzz/fuzz_hello.c $(fuzz_common)
fuzz_hello_CPPFLAGS = $(fuzz_cppflags)
fuzz_hello_LDADD = $(fuzz_ldadd)
fuzz_hello_LDFLAGS = $(fuzz_ldflags)
noinst_PROGRAMS += fuzz_proxyhdr
fuzz_proxyhdr_SOURCES = tests/fuzz/fuzz_proxyhdr.c $(fuzz_common)
fuzz_proxyhdr_CPPFLAGS = $(fuzz_cppflags)
fuzz_proxyhdr_LDADD = $(fuzz_ldadd)
fuzz_proxyhdr_LDFLAGS = $(fuzz_ldflags)
noinst_PROGRAMS += fuzz_probe
fuzz_probe_SOURCES = tests/fuzz/fuzz_probe.c $(fuzz_common)
fuzz_probe_CPPFLAGS = $(fuzz_cppflags)
fuzz_probe_LDADD = $(fuzz_ldadd)
fuzz_probe_LDFLAGS = $(fuzz_ldflags)
endif

# Whole, with what the fuzzers found.
DIST_FOLDERS += tests/fuzz/seeds
