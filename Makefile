# `make` builds the library for LUA, `make demo` orders a video from the
# sandbox, `make test` runs every spec.

LUA ?= lua5.4
LUAS = lua5.1 lua5.2 lua5.3 lua5.4 luajit
BUILD = build/$(LUA)

CORE_LUA_SRC = csrc/lua_core.c csrc/row.c csrc/convert.c
CORE_SRC = $(CORE_LUA_SRC) csrc/catalog.c csrc/validate.c csrc/media.c \
	csrc/report.c csrc/text.c csrc/url.c csrc/value.c
CURL_SRC = csrc/lua_curl.c csrc/lua_driver.c csrc/request.c csrc/response.c \
	csrc/driver.c csrc/shared.c csrc/alarm.c csrc/errand.c csrc/forks.c \
	csrc/engine.c csrc/libcurl.c csrc/transfer.c csrc/handle.c csrc/evidence.c \
	csrc/origin.c csrc/sink.c csrc/digest.c csrc/place.c csrc/version.c \
	csrc/head.c csrc/buffer.c csrc/signals.c

# CFLAGS, LIBFLAG and LUA_INCDIR are LuaRocks' names; whoever sets them keeps
# what the sources rely on.
CFLAGS ?= -O2
LIBFLAG = -shared
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion

# Asked for when a compiler is about to run, not when this file is read: on a
# new machine `make demo` installs pkg-config first.
ifdef LUA_INCDIR
LUA_CFLAGS = -I$(LUA_INCDIR)
else
LUA_CFLAGS = $(shell pkg-config --cflags $(LUA))
endif
CURL_CFLAGS = $(shell pkg-config --cflags libcurl libcrypto 2>/dev/null)
CURL_LIBS = $(shell pkg-config --libs libcurl libcrypto 2>/dev/null || \
	echo -lcurl -lcrypto)
LUA_LIBS = $(shell pkg-config --libs $(LUA) 2>/dev/null)

# In the bindings all is static but luaopen_*, which must be seen; of the
# rest nothing may be, or it would meet symbols of the host.
VISIBILITY = hidden
COMPILE = $(CC) -std=gnu99 -fPIC -pthread $(WARNINGS) $(CFLAGS) $(LUA_CFLAGS) \
	$(CURL_CFLAGS)

object = $(patsubst csrc/%.c,$(BUILD)/obj/%.o,$(1))
MODULES = $(BUILD)/starvideos/core.so $(BUILD)/starvideos/curl.so
LAUNCHER = $(BUILD)/bin/starvideos

# Installs packages where it can: `DEPS=true` leaves that to you.
DEPS = spec/packages.sh

LUA_VERSION = $(patsubst lua%,%,$(subst luajit,lua5.1,$(notdir $(LUA))))
PREFIX ?= /usr/local
INST_LUADIR = $(PREFIX)/share/lua/$(LUA_VERSION)
INST_LIBDIR = $(PREFIX)/lib/lua/$(LUA_VERSION)
INST_BINDIR = $(PREFIX)/bin

.PHONY: build
build: $(MODULES) $(LAUNCHER)

$(BUILD)/starvideos/core.so: $(call object,$(CORE_SRC))
	@mkdir -p $(@D)
	$(CC) $(LIBFLAG) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(BUILD)/starvideos/curl.so: $(call object,$(CURL_SRC))
	@mkdir -p $(@D)
	$(CC) $(LIBFLAG) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CURL_LIBS)

$(BUILD)/obj/lua_core.o $(BUILD)/obj/lua_curl.o: VISIBILITY = default
$(BUILD)/obj/%.o: csrc/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -fvisibility=$(VISIBILITY) -MMD -MP -c -o $@ $<

-include $(wildcard $(BUILD)/obj/*.d)

# Newer than the objects exactly when they were made otherwise.
$(BUILD)/flags: FORCE
	@$(if $(LUA_INCDIR),:,pkg-config --exists $(LUA)) || \
	  { echo "No headers of $(LUA) found: 'make deps' installs them"; exit 1; }
	@mkdir -p $(@D)
	@echo '$(COMPILE) $(LDFLAGS)' | cmp -s - $@ || \
	  echo '$(COMPILE) $(LDFLAGS)' > $@

$(LAUNCHER): Makefile $(BUILD)/flags
	@mkdir -p $(@D)
	@printf '%s\n' '#!/usr/bin/env $(notdir $(LUA))' \
	  'os.exit(require("starvideos.cli").main(arg), true)' > $@
	@chmod 755 $@

# For the shell: eval "$(make -s env)"
.PHONY: env
env:
	@quoted() { printf %s "$$1" | sed "s/'/'\\\\''/g; s/^/'/; s/$$/'/"; }; \
	here=$$(pwd); case "$(BUILD)" in /*) built="$(BUILD)" ;; *) built=$$here/$(BUILD) ;; esac; \
	echo "export LUA_PATH=$$(quoted "$$here/lua/?.lua;$$here/lua/?/init.lua;;")"; \
	echo "export LUA_CPATH=$$(quoted "$$built/?.so;;")"; \
	echo "export PATH=$$(quoted "$$built/bin"):\"\$$PATH\""

.PHONY: deps
deps:
	@$(DEPS) demo test

.PHONY: demo
demo:
	@$(DEPS) demo
	@$(MAKE) --no-print-directory build LUA=lua5.4
	@spec/demo.sh

# One name for each Lua: build-lua5.1 ... build-luajit.
.PHONY: build-all $(LUAS:%=build-%)
build-all: $(LUAS:%=build-%)
$(LUAS:%=build-%): build-%:
	@$(MAKE) --no-print-directory build LUA=$*

ROCKSPEC = rockspec/starvideos-scm-1.rockspec
SUITES = $(LUAS:%=unit:%) integration:lua5.4 integration:luajit \
	hosts:lua5.4 hosts:luajit installed:lua5.4

.PHONY: test
test:
	@$(DEPS) demo test
	@$(MAKE) --no-print-directory build-all rock
	@lua5.4 spec/run.lua $(SUITES)

# The unit specs against what LuaRocks installed, and nothing else.
.PHONY: test-installed rock
test-installed:
	@$(DEPS) demo test
	@$(MAKE) --no-print-directory rock
	@lua5.4 spec/run.lua installed:lua5.4
rock:
	@MAKEFLAGS= luarocks --lua-version 5.4 make --tree build/rocks $(ROCKSPEC)

.PHONY: lint
lint:
	@$(DEPS) test lint
	@luacheck --quiet lua spec examples $(ROCKSPEC)
	@$(MAKE) --no-print-directory $(LUAS:%=lint-gcc-%) $(LUAS:%=lint-clang-%)
	@echo "lint: nothing found"
lint-%:
	@$(MAKE) -s --no-print-directory build CFLAGS='-O2 -Werror' \
	  CC=$(word 1,$(subst -, ,$*)) LUA=$(word 2,$(subst -, ,$*)) \
	  BUILD=build/lint/$*

.PHONY: check-memory
check-memory:
	@$(DEPS) demo test memory
	@spec/memory/check.sh

# For how long each target is fuzzed, by `make test` too; 0 leaves it out there.
FUZZ_SECONDS = 60
FUZZ_TARGETS = $(patsubst spec/fuzz/%.seeds,%,$(wildcard spec/fuzz/*.seeds))
FUZZ_CFLAGS = -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-fsanitize=fuzzer-no-link,address,undefined
.PHONY: fuzz fuzz-targets
fuzz:
	@$(DEPS) demo test fuzz
	@$(MAKE) -s --no-print-directory fuzz-targets LUA=lua5.4 CC=clang \
	  BUILD=build/fuzz CFLAGS='$(FUZZ_CFLAGS)'
	@spec/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS)
ifneq ($(FUZZ_SECONDS),0)
test: fuzz
endif
fuzz-targets: $(FUZZ_TARGETS:%=$(BUILD)/target/%)
$(BUILD)/target/%: spec/fuzz/%.c spec/fuzz/peer.c $(wildcard spec/fuzz/*.h) \
  $(call object,$(CORE_SRC) $(CURL_SRC))
	@mkdir -p $(@D)
	$(COMPILE) -fsanitize=fuzzer -Icsrc -o $@ $(filter-out %.h,$^) \
	  $(CURL_LIBS) $(LUA_LIBS)

# The program of the allocation spec, in which memory runs out when told to.
ALLOCATION_CFLAGS = -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined
WRAPPED = malloc calloc realloc strdup strndup free curl_multi_poll
.PHONY: allocation
allocation:
	@$(MAKE) -s --no-print-directory build/allocation/$(LUA)/driver \
	  BUILD=build/allocation/$(LUA) CFLAGS='$(ALLOCATION_CFLAGS)'
$(BUILD)/driver: $(wildcard spec/allocation/*.[ch] spec/fuzz/peer.*) \
  $(call object,$(CORE_SRC) $(CURL_SRC))
	$(COMPILE) $(WRAPPED:%=-Wl,--wrap=%) -Icsrc -Ispec/fuzz -o $@ \
	  $(filter-out %.h,$^) $(CURL_LIBS) $(LUA_LIBS)

# Drivers and Lua states on several threads, under ThreadSanitizer.
THREADS_SECONDS = 5
THREADS_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=thread
.PHONY: check-threads threads
check-threads:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build threads LUA=$(LUA)
	@eval "$$($(MAKE) -s --no-print-directory env LUA=$(LUA))" && \
	  $(LUA) spec/threads/run.lua build/threads/$(LUA)/hammer \
	    $(THREADS_SECONDS)
threads:
	@$(MAKE) -s --no-print-directory build/threads/$(LUA)/hammer \
	  BUILD=build/threads/$(LUA) CFLAGS='$(THREADS_CFLAGS)'
$(BUILD)/hammer: spec/threads/hammer.c $(call object,$(CORE_SRC) $(CURL_SRC))
	$(COMPILE) -Icsrc -o $@ $^ $(CURL_LIBS) $(LUA_LIBS)

# How often the ledger's program is killed; SEED repeats a run.
KILLS = 2000
SEED =
.PHONY: torture
torture:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)" && \
	  lua5.4 spec/torture/run.lua $(KILLS) $(SEED)

# How often an order is sent under each fault of a server.
.PHONY: faults
faults:
	@$(DEPS) demo test
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)" && \
	  lua5.4 spec/faults/figure.lua

BENCHES = build/bench/validate_bench build/bench/query_plain
.PHONY: bench
bench:
	@$(DEPS) demo bench
	@$(MAKE) -s --no-print-directory build $(BENCHES) LUA=lua5.4
	@eval "$$($(MAKE) -s --no-print-directory env LUA=lua5.4)" && \
	  lua5.4 spec/bench/run.lua

# Longest updates, unrelated requests and late timers, inside the real hosts.
.PHONY: bench-hosts
bench-hosts:
	@$(DEPS) demo test bench
	@$(MAKE) -s --no-print-directory build LUA=lua5.4
	@$(MAKE) -s --no-print-directory build LUA=luajit
	@eval "$$($(MAKE) -s --no-print-directory env LUA=luajit)" && \
	  luajit spec/bench/hosts/run.lua
build/bench/validate_bench: $(filter-out $(CORE_LUA_SRC),$(CORE_SRC))
build/bench/query_plain: BENCH_LIBS = $(CURL_CFLAGS) $(CURL_LIBS)
build/bench/%: spec/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu99 $(WARNINGS) $(CFLAGS) -Icsrc -o $@ $^ $(BENCH_LIBS)

.PHONY: docs
docs:
	@$(DEPS) docs
	@ldoc --quiet --fatalwarnings --dir build/docs --project starvideos \
	  --title 'starvideos' lua/starvideos

.PHONY: install
install: build
	cd lua && find starvideos -type d \
	  -exec mkdir -p '$(DESTDIR)$(INST_LUADIR)/{}' \;
	cd lua && find starvideos -type f \
	  -exec install -m 644 '{}' '$(DESTDIR)$(INST_LUADIR)/{}' \;
	mkdir -p '$(DESTDIR)$(INST_LIBDIR)/starvideos' '$(DESTDIR)$(INST_BINDIR)'
	install -m 755 $(MODULES) '$(DESTDIR)$(INST_LIBDIR)/starvideos'
	install -m 755 $(LAUNCHER) '$(DESTDIR)$(INST_BINDIR)'

.PHONY: clean
clean:
	rm -rf build

.PHONY: FORCE
FORCE:
