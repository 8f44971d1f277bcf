# The manual pages say what the program says of itself, so the program is run when they are made;
# where it cannot be, being for another machine, there are none.
EXTRA_DIST += man/tables man/mdoc.awk man/sallyport.1.in man/sallyport.conf.5.in

if RUNS_HERE
nodist_man1_MANS = man/sallyport.1
nodist_man5_MANS = man/sallyport.conf.5
CLEANFILES += man/tables.tsv man/sallyport.1 man/sallyport.conf.5

man/tables.tsv: sallyport$(EXEEXT) $(srcdir)/man/tables
	$(AM_V_GEN)$(MKDIR_P) man && $(srcdir)/man/tables ./sallyport$(EXEEXT) >$@.new && mv $@.new $@

MAKE_PAGE = $(AM_V_GEN)LC_ALL=C $(AWK) -v version='$(PACKAGE_VERSION)' \
	-v sysconfdir='$(sysconfdir)/sallyport' -f $(srcdir)/man/mdoc.awk man/tables.tsv

man/sallyport.1: man/tables.tsv $(srcdir)/man/mdoc.awk $(srcdir)/man/sallyport.1.in
	$(MAKE_PAGE) $(srcdir)/man/sallyport.1.in >$@.new && mv $@.new $@

man/sallyport.conf.5: man/tables.tsv $(srcdir)/man/mdoc.awk $(srcdir)/man/sallyport.conf.5.in
	$(MAKE_PAGE) $(srcdir)/man/sallyport.conf.5.in >$@.new && mv $@.new $@
endif
