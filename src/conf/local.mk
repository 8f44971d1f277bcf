noinst_LIBRARIES += libconf.a
libconf_a_SOURCES = \
	src/conf/admission.c \
	src/conf/build.c src/conf/build.h \
	src/conf/bundle.c src/conf/bundle.h \
	src/conf/conf.h \
	src/conf/dump.c \
	src/conf/exposure.c src/conf/exposure.h \
	src/conf/file.c src/conf/file.h \
	src/conf/keys.tbl \
	src/conf/listeners.c \
	src/conf/modes.c \
	src/conf/presets.c src/conf/presets.h src/conf/presets.tbl \
	src/conf/refs.c \
	src/conf/schema.c src/conf/schema.h \
	src/conf/sections.c \
	src/conf/settings.c src/conf/settings.h \
	src/conf/source.c src/conf/source.h \
	src/conf/transparent.c \
	src/conf/type_addresses.c src/conf/type_lists.c src/conf/type_parts.h \
	src/conf/type_parse.c \
	src/conf/type_print.c \
	src/conf/type_rules.c \
	src/conf/upstreams.c \
	src/conf/types.h \
	src/conf/wording.c src/conf/wording.h

# The sample, and the reference that the lint keys-documented holds to the table.
dist_doc_DATA += doc/configuration.md conf/sallyport.conf
