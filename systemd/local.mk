# The unit, its user and its folders; --with-systemdsystemunitdir=no leaves all of them out.
EXTRA_DIST += systemd/sallyport.service.in systemd/sysusers.conf systemd/tmpfiles.conf.in

if SYSTEMD
systemdsystemunit_DATA = systemd/sallyport.service
nodist_sysusers_DATA = systemd/sysusers.d/sallyport.conf
nodist_tmpfiles_DATA = systemd/tmpfiles.d/sallyport.conf
CLEANFILES += $(systemdsystemunit_DATA) $(nodist_sysusers_DATA) $(nodist_tmpfiles_DATA)

FILL_DIRS = $(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's|[@]bindir[@]|$(bindir)|g' \
	-e 's|[@]sysconfdir[@]|$(sysconfdir)|g'

systemd/sallyport.service: $(srcdir)/systemd/sallyport.service.in Makefile
	$(FILL_DIRS) $(srcdir)/systemd/sallyport.service.in >$@

systemd/tmpfiles.d/sallyport.conf: $(srcdir)/systemd/tmpfiles.conf.in Makefile
	$(FILL_DIRS) $(srcdir)/systemd/tmpfiles.conf.in >$@

systemd/sysusers.d/sallyport.conf: $(srcdir)/systemd/sysusers.conf
	$(FILL_DIRS) $(srcdir)/systemd/sysusers.conf >$@
endif
