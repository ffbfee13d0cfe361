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

# The software CPU's instructions, from the decoder's table
EXTRA_DIST += doc/instructions.md
check_PROGRAMS += doc/instruction_reference
doc_instruction_reference_SOURCES = doc/instruction_reference.c
doc_instruction_reference_LDADD = engine/libengine.a core/libcore.a $(GLIB_LIBS)
dist_check_SCRIPTS += tests/test_instructions_doc.sh
TESTS += tests/test_instructions_doc.sh

.PHONY: update-instructions
update-instructions: doc/instruction_reference
	$(AM_V_GEN)doc/instruction_reference >$(srcdir)/doc/instructions.md

# The manual pages. A release holds them built, so that building it takes no scdoc.
manual = doc/vmdesk.1 doc/vmdesk-engine.1 doc/machine.conf.5
EXTRA_DIST += doc/vmdesk.1.scd doc/vmdesk-engine.1.scd doc/machine.conf.5.scd doc/update_manual.sh
SUFFIXES = .scd
.scd:
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SCDOC) <$< >$@.tmp && mv $@.tmp $@
if BUILD_MANUAL
dist_man_MANS += $(manual)
endif
if HAVE_SCDOC
MAINTAINERCLEANFILES = $(manual)
endif

# Their reference parts are made from the tables.
check_PROGRAMS += doc/manual_reference
doc_manual_reference_SOURCES = doc/manual_reference.c
doc_manual_reference_LDADD = $(UI_LIBS)
dist_check_SCRIPTS += tests/test_manual.sh
TESTS += tests/test_manual.sh

.PHONY: update-manual
update-manual: doc/manual_reference
	$(AM_V_GEN)for page in 'vmdesk.1 verbs' 'machine.conf.5 keys'; do \
		set -- $$page; \
		sh $(srcdir)/doc/update_manual.sh $(srcdir)/doc/$$1.scd $$2 >$$1.tmp && \
			mv $$1.tmp $(srcdir)/doc/$$1.scd || exit 1; \
	done
