noinst_LIBRARIES += libcmd.a
libcmd_a_SOURCES = \
	src/cmd/check.c \
	src/cmd/dump.c \
	src/cmd/environment.c src/cmd/environment.h \
	src/cmd/given.c src/cmd/given.h \
	src/cmd/help.c \
	src/cmd/options.c src/cmd/options.h
