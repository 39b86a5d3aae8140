# mysqlconn_exporter: one Makefile for everything. `make help` lists the targets.
#
# VARIANT=release|debug|asan|coverage selects a set of flags; each has a build folder of its own. V=1 shows the commands,
# WERROR=1 makes warnings errors, CC=clang works too.

VERSION := 0.1.0
VARIANT ?= release
PREFIX ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif
B := build/$(VARIANT)$(if $(filter-out gcc,$(notdir $(CC))),-$(notdir $(CC)))
PROGRAM := $(B)/mysqlconn_exporter

# --- flags ------------------------------------------------------------------------------------------------------------
PKGS := libmariadb libmicrohttpd libuv yaml-0.1 libsystemd libssl libcrypto zlib gnutls libcrypt
# Empty before the packages are installed: `make demo` and `make test` install them first and then call make again.
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual -Wcast-align -Wstrict-prototypes -Wmissing-prototypes \
  -Wold-style-definition -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Wnull-dereference \
  -Wdate-time -Wstrict-overflow=2 -Wunused-macros -Wswitch-enum
WERROR_1 := -Werror

FLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
LINK_release := -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
FLAGS_debug := -O0 -g3
FLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LINK_asan := -fsanitize=address,undefined
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LINK_fuzz := -fsanitize=address,undefined
FLAGS_coverage := -O0 -g --coverage
LINK_coverage := --coverage

ifeq ($(filter $(VARIANT),release debug asan coverage fuzz),)
$(error VARIANT is one of release debug asan coverage fuzz, not '$(VARIANT)')
endif

ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(WERROR_$(WERROR)) $(FLAGS_$(VARIANT)) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Isrc \
  $(PKG_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(LINK_$(VARIANT)) $(LDFLAGS)

ifneq ($(V),1)
Q := @
say = @printf '  %-8s %s\n' $(1) $(2)
endif

# --- files ------------------------------------------------------------------------------------------------------------
SOURCES := $(sort $(wildcard src/*.c src/*/*.c))
OBJECTS := $(SOURCES:%.c=$(B)/%.o)
LIBRARY := $(B)/libmysqlconn.a
UNIT_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(B)/%)
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZERS := $(FUZZ_SOURCES:%.c=$(B)/%)
BENCH_SOURCES := $(sort $(wildcard tests/bench/*.c))
BENCHES := $(BENCH_SOURCES:%.c=$(B)/%)
C_FILES := $(sort $(wildcard src/*.[ch] src/*/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch]))

.PHONY: all build units benches
all: build
build: $(PROGRAM)
units: $(UNIT_TESTS) $(FUZZERS)
benches: $(BENCHES)

$(PROGRAM): $(B)/src/main.o $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(LIBRARY): $(filter-out $(B)/src/main.o,$(OBJECTS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) $(PKG_LIBS) -lcmocka

# What gives a fuzz target its inputs: libFuzzer, or elsewhere the committed corpus.
FUZZ_MAIN := $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer,$(B)/tests/fuzz/replay.o)
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(filter %.o,$(FUZZ_MAIN)) $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(FUZZ_MAIN) $(LIBRARY) $(PKG_LIBS)

$(B)/tests/bench/%: $(B)/tests/bench/%.o $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) $(PKG_LIBS)

$(B)/%.o: %.c $(B)/.flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Files that the assembler takes into the program.
$(B)/src/expose/page_assets.o: src/expose/status.css src/expose/status.js src/expose/icon.svg

# Rebuild when the flags change.
$(B)/.flags: .FORCE
	@pkg-config --exists $(PKGS) || { echo 'libraries are missing: tests/lib/install-packages build' >&2; exit 1; }
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' | cmp -s - $@ || \
	  printf '%s\n' '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' > $@
.FORCE:
.SECONDARY:
-include $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(FUZZERS:=.d) $(BENCHES:=.d) $(wildcard $(B)/tests/fuzz/replay.d)

# --- the two commands -------------------------------------------------------------------------------------------------
.PHONY: demo live test test-mysql test-drivers check
demo:
	@tests/lib/install-packages build demo
	@$(MAKE) --no-print-directory VARIANT=release build
	@exec /usr/bin/python3 tests/demo/demo.py --program build/release/mysqlconn_exporter

test:
	@tests/lib/install-packages build test
	@$(MAKE) --no-print-directory VARIANT=asan check

# Against a real MySQL 9 of Debian sid, which is fetched once into a cache outside the tree (tests/lib/mysql.py) and never
# installed; 10,000 probes of it and of a MariaDB among them.
test-mysql:
	@tests/lib/install-packages build test
	@tests/lib/fetch-mysql
	@$(MAKE) --no-print-directory VARIANT=asan check TESTS='--mysql $(TESTS)'

# Real drivers in the versions of reports, against a MariaDB and a real MySQL: what becomes of their connections. mysql2 comes with
# npm into the same cache.
test-drivers:
	@tests/lib/install-packages build test drivers
	@command -v npm > /dev/null || tests/lib/install-packages npm
	@tests/lib/fetch-mysql
	@$(MAKE) --no-print-directory VARIANT=asan check TESTS='--drivers $(TESTS)'

# Servers, clients that misbehave, the daemon, Prometheus with the rules and Alertmanager, until Ctrl-C; LIVE="--mysql --prometheus-3" for
# more. To draw dashboards from, and to look at alerts.
live:
	@tests/lib/install-packages build test
	@$(MAKE) --no-print-directory VARIANT=release build
	@exec /usr/bin/python3 tests/live/live.py --program build/release/mysqlconn_exporter $(LIVE)

# The tests without the installing; `make check VARIANT=release TESTS=tests/scenario/test_x.py` for one of them.
check: build units
	@exec tests/run-all --build $(B) $(if $(AGAIN),--again) $(TESTS)

# Each fuzz target in turn for FUZZ_SECONDS, from its committed corpus on; what is new and interesting stays in the build
# folder, and what is found is written there.
.PHONY: fuzz fuzz-run
FUZZ_SECONDS ?= 60
fuzz:
	@tests/lib/install-packages build fuzz
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang fuzz-run
fuzz-run: $(FUZZERS)
	@for fuzzer in $(FUZZERS); do name=$${fuzzer##*/}; mkdir -p $(B)/corpus/$$name; echo "  FUZZ     $$name"; \
	  $$fuzzer -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=$(B)/found-$$name- $(B)/corpus/$$name tests/fuzz/corpus/$$name || exit 1; done

# The tables of messages in other languages, from what MariaDB, MySQL 9 and (one message) MySQL 5.7 print.
.PHONY: localized-frames
localized-frames:
	@tests/lib/install-packages test
	@tests/lib/fetch-mysql
	@tests/lib/make-localized-frames /usr/share/mysql \
	  "$${XDG_CACHE_HOME:-$$HOME/.cache}/mysqlconn_exporter/mysql-sid/usr/share/mysql" tests/samples/errmsg-mysql-5.7.txt

# The same schedules of rotations, stops and kills as in the unit test, many more: as many of each of the 54 kinds as
# SCHEDULES says, from SEED on.
.PHONY: test-exactly-once
SCHEDULES ?= 20
SEED ?= $(shell date +%s)
test-exactly-once:
	@tests/lib/install-packages build test
	@$(MAKE) --no-print-directory VARIANT=debug units
	@EXACTLY_ONCE_SCHEDULES=$(SCHEDULES) EXACTLY_ONCE_SEED=$(SEED) build/debug/tests/unit/observe/test_log_exactly_once

# --- checks of the source ---------------------------------------------------------------------------------------------
.PHONY: lint format
lint:
	@tests/lib/install-packages build lint
	@$(MAKE) --no-print-directory VARIANT=release WERROR=1 build
	@$(MAKE) --no-print-directory VARIANT=debug WERROR=1 build units benches
	@$(MAKE) --no-print-directory VARIANT=debug WERROR=1 CC=clang build units
	@exec tests/lint/run-lint

format:
	clang-format -i $(C_FILES)

# --- measuring --------------------------------------------------------------------------------------------------------
.PHONY: bench
bench:
	@tests/lib/install-packages build test bench
	@$(MAKE) --no-print-directory VARIANT=release build benches
	@exec /usr/bin/python3 tests/bench/bench.py --build build/release $(BENCH)

# --- installing -------------------------------------------------------------------------------------------------------
.PHONY: install uninstall clean help readme dashboards
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
DOC_DIR := $(PREFIX)/share/doc/mysqlconn_exporter
SHARE_DIR := $(PREFIX)/share/mysqlconn_exporter
# Where the links of alerts lead: your Grafana, and where this repository can be read.
GRAFANA_URL ?= https://grafana.example
RUNBOOK_URL ?= https://runbooks.example
LINKS := -e 's|https://grafana\.example|$(GRAFANA_URL)|' -e 's|https://runbooks\.example|$(RUNBOOK_URL)|'
DOCS := README.md config/mysqlconn_exporter.example.yml $(wildcard config/*.sql)
# What Prometheus, Alertmanager, Grafana and Kubernetes are given, in folders as here.
RULES := $(wildcard alerts/*.yml)
SHARED := $(RULES) $(wildcard dashboards/*.json) \
  $(shell find config/prometheus config/alertmanager config/grafana config/kubernetes -type f)
UNITS := mysqlconn_exporter.service mysqlconn_exporter.socket
install: build
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/mysqlconn_exporter
	install -d $(DESTDIR)$(DOC_DIR) $(DESTDIR)$(UNIT_DIR)
	install -m 644 $(DOCS) $(DESTDIR)$(DOC_DIR)
	install -d $(DESTDIR)$(DOC_DIR)/alerts
	install -m 644 alerts/*.md $(DESTDIR)$(DOC_DIR)/alerts
	for file in $(SHARED); do install -D -m 644 $$file $(DESTDIR)$(SHARE_DIR)/$$file || exit 1; done
	sed -i $(LINKS) $(RULES:%=$(DESTDIR)$(SHARE_DIR)/%)
	chmod 755 $(DESTDIR)$(SHARE_DIR)/config/kubernetes/generate
	for unit in $(UNITS); do sed 's|@PREFIX@|$(PREFIX)|g' config/$$unit > $(DESTDIR)$(UNIT_DIR)/$$unit && \
	  chmod 644 $(DESTDIR)$(UNIT_DIR)/$$unit || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/mysqlconn_exporter $(UNITS:%=$(DESTDIR)$(UNIT_DIR)/%)
	rm -rf $(DESTDIR)$(DOC_DIR) $(DESTDIR)$(SHARE_DIR)

# All that `kubectl apply -n monitoring --server-side -f build/kubernetes` takes: the objects of config/kubernetes but for the secret,
# and those that are made of alerts/ and dashboards/.
.PHONY: kubernetes
kubernetes:
	@rm -rf build/kubernetes && mkdir -p build/kubernetes
	@cp $(filter-out %/secret.yaml,$(wildcard config/kubernetes/*.yaml)) build/kubernetes
	@config/kubernetes/generate build/kubernetes
	@sed -i $(LINKS) build/kubernetes/*.yaml
	@echo 'build/kubernetes is made: make the secret first (config/kubernetes/secret.yaml says how)'

# Write the generated tables into README.md; a test fails when they are stale.
readme: build
	@exec tests/lib/update-readme $(PROGRAM)

# Write dashboards/*.json out of dashboards/source/; a test fails when they are stale.
dashboards:
	@exec dashboards/make-dashboards

clean:
	rm -rf build

help:
	@echo 'make             build $(PROGRAM)'
	@echo 'make demo        a private MariaDB, clients that behave badly, and what we see of it (DEMO_SECONDS=20 ends by itself)'
	@echo 'make live        what the demo has and more, with Prometheus, our rules and Alertmanager, to draw dashboards from'
	@echo 'make test        install what the tests need and run all of them under ASan and UBSan'
	@echo 'make test-mysql  the same against a real MySQL 9, fetched once into a cache (XDG_CACHE_HOME); 10,000 probes'
	@echo 'make test-drivers  real drivers (mysql2, go-sql-driver, mysqlnd, DBI, JDBC…), closed well, badly and not at all'
	@echo 'make test-exactly-once  every line of a log exactly once, over SCHEDULES=20 of each kind from SEED=… on'
	@echo 'make check       the tests alone; TESTS="…" for some, VARIANT=… for other builds'
	@echo 'make fuzz        libFuzzer on what reads hostile bytes, FUZZ_SECONDS=60 for each target'
	@echo 'make lint        both compilers with -Werror, clang-format, clang-tidy, cppcheck, shellcheck, include directions'
	@echo 'make bench       cost against peers and floors, as ratios (BENCH=--quick: one short round)'
	@echo 'make install     into DESTDIR=$(DESTDIR) PREFIX=$(PREFIX), alerts for GRAFANA_URL=… RUNBOOK_URL=…; make uninstall takes it away'
	@echo 'make kubernetes  write build/kubernetes: what kubectl applies, rules and dashboards included'
	@echo 'make readme      refresh the generated tables of README.md'
	@echo 'make dashboards  write dashboards/*.json out of dashboards/source/'
	@echo 'make localized-frames  make the tables of messages in other languages anew'
	@echo 'make format      clang-format the tree;  make clean  remove build/'
	@echo 'Variables: VARIANT=release|debug|asan|coverage  CC=gcc|clang  V=1  WERROR=1'
