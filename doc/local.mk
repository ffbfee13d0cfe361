# The control protocol: its reference part is made from the tables.
EXTRA_DIST += doc/protocol.md
check_PROGRAMS += doc/protocol_reference
doc_protocol_reference_SOURCES = doc/protocol_reference.c
doc_protocol_reference_LDADD = core/libcore.a $(GLIB_LIBS) $(JANSSON_LIBS)
dist_check_SCRIPTS += tests/test_protocol_doc.sh
TESTS += tests/test_protocol_doc.sh

.PHONY: update-protocol
update-protocol: doc/protocol_reference
	$(AM_V_GEN)sed -i '/^## Commands$$/,$$d' $(srcdir)/doc/protocol.md && \
		doc/protocol_reference >>$(srcdir)/doc/protocol.md
