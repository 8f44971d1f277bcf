# The verbs but for main() are a library, so that the unit tests can link them.
noinst_LIBRARIES += libcmd.a
libcmd_a_SOURCES = \
	src/cmd/admin_client.c src/cmd/admin_client.h \
	src/cmd/check.c src/cmd/cmd.h \
	src/cmd/drain.c \
	src/cmd/dump.c \
	src/cmd/environment.c src/cmd/environment.h \
	src/cmd/explain.c src/cmd/explain.h src/cmd/explain_print.c \
	src/cmd/given.c src/cmd/given.h \
	src/cmd/help.c \
	src/cmd/options.c src/cmd/options.h \
	src/cmd/readable.c src/cmd/readable.h \
	src/cmd/reference.c src/cmd/reference.h \
	src/cmd/reload.c \
	src/cmd/serve.c \
	src/cmd/show.c src/cmd/show_json.c src/cmd/show_print.h src/cmd/show_text.c \
	src/cmd/status.c src/cmd/watch_screen.c src/cmd/watch_screen.h \
	src/cmd/tunnel.c \
	src/cmd/tunnel_certs.c src/cmd/tunnel_certs.h \
	src/cmd/tunnel_names.c src/cmd/tunnel_names.h

bin_PROGRAMS = sallyport
sallyport_SOURCES = src/cmd/main.c
sallyport_LDADD = libcmd.a libapp.a libproxy.a libtls.a libnet.a libconf.a libproto.a libbase.a \
	$(LIBEVENT_LIBS) $(CARES_LIBS) $(INIH_LIBS) $(SECCOMP_LIBS) $(OPENSSL_LIBS)
