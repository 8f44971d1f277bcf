noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	src/net/dial.c src/net/dial.h \
	src/net/loop.c src/net/loop.h \
	src/net/resolve.c src/net/resolve.h \
	src/net/sock.c src/net/sock.h \
	src/net/stream.c src/net/stream.h \
	src/net/watch.c src/net/watch.h \
	src/net/watch_dirs.c src/net/watch_dirs.h
