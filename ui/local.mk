include $(top_srcdir)/ui/tui/local.mk
