# The front door: each target sets up what it needs. Meson and ninja do the work; options for them:
#   make test MESON_ARGS=-Dwerror=true     make test TESTS='unit process'     make build BUILD=out
#   make chaos CHAOS='--soak 1800 soak'    make bench FULL=1    make bench BENCH='--rounds 3 w1'
#   make bench-curves FULL=1 CURVES='--rounds 5 clients'
#   make bench-instructions INSTRUCTIONS=--write
#   make sanitize TESTS=e2e                make sanitize SANITIZE=thread     make fuzz FUZZ_SECONDS=600

BUILD ?= build
MESON_ARGS ?=
TESTS ?=
CHAOS ?=
BENCH ?=
CURVES ?=
INSTRUCTIONS ?= --show
FULL ?=
SANITIZE ?= address,undefined
FUZZ_SECONDS ?= 20

sanitizers = -Db_sanitize=$(1) -Db_lundef=false
BUILD_SANITIZED := build-$(if $(findstring thread,$(SANITIZE)),tsan,asan)
PREFIX_OF_DEPENDENCIES = $(shell ./setup.sh --print-prefix)
PREFIX_FOR_WINDOWS = $(shell windows-service/setup.sh --print-prefix)

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: help setup setup-tests build release run test test-systemd sanitize bench bench-curves bench-instructions chaos faults fuzz \
  format clean install deb windows setup-windows test-windows

help:
	@echo 'make build | run | test | test-systemd | sanitize | bench | bench-curves | bench-instructions | chaos | faults |' \
	  'fuzz | format | clean | install | deb | windows | test-windows'

# configure FOLDER,ARGUMENTS[,CROSS]: anew when the arguments or the pinned libraries have changed.
define configure
	@wanted='$(PREFIX_OF_DEPENDENCIES) $(2)$(3)'; \
	if [ "$$(cat $(1)/.configured 2>/dev/null)" != "$$wanted" ]; then \
	  if [ -d $(1)/meson-private ]; then rm -rf $(1); fi; \
	  meson setup $(1) $(or $(3),--pkg-config-path $(PREFIX_OF_DEPENDENCIES)/lib/pkgconfig) $(2) && \
	  echo "$$wanted" >$(1)/.configured; \
	fi
endef

setup:
	@./setup.sh --build-only

setup-tests:
	@./setup.sh

build: setup
	$(call configure,$(BUILD),$(MESON_ARGS))
	@ninja -C $(BUILD)

run: setup-tests build
	FETCHD_BUILD=$(BUILD) tests/demo

test: setup-tests build
	FETCHD_BUILD=$(BUILD) tests/run $(TESTS)

sanitize: setup-tests
	$(call configure,$(BUILD_SANITIZED),$(call sanitizers,$(SANITIZE)) $(MESON_ARGS))
	@ninja -C $(BUILD_SANITIZED)
	FETCHD_BUILD=$(BUILD_SANITIZED) tests/run $(TESTS)

release: setup-tests
	$(call configure,build-release,--buildtype=release $(MESON_ARGS))
	@ninja -C build-release

# Figures in build-release/bench; tests/bench/publish puts them into docs/.
bench: release
	FETCHD_BUILD=build-release tests/bench/run $(if $(FULL),--full) --into build-release/bench $(BENCH)
	FETCHD_BUILD=build-release tests/bench/run_websocket

bench-curves: release
	FETCHD_BUILD=build-release tests/bench/run_curves $(if $(FULL),--full) --into build-release/bench $(CURVES)
	FETCHD_BUILD=build-release tests/bench/run_calls --into build-release/bench

bench-instructions: setup-tests build
	FETCHD_BUILD=$(BUILD) tests/bench/instructions.py $(INSTRUCTIONS)

chaos: setup-tests build
	FETCHD_BUILD=$(BUILD) tests/chaos/run $(CHAOS)

# Some minutes.
faults: setup-tests build
	FAULTS_EACH=1 FETCHD_BUILD=$(BUILD) /usr/bin/python3 tests/faults/test_faults.py

fuzz: export CC = clang
fuzz: setup-tests
	$(call configure,build-fuzz,-Dfuzz=enabled $(call sanitizers,$(SANITIZE)) $(MESON_ARGS))
	@ninja -C build-fuzz
	FUZZ_SECONDS=$(FUZZ_SECONDS) FETCHD_BUILD=build-fuzz tests/fuzz/run

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) build-asan build-tsan build-release build-fuzz build-deb build-windows packages

# Debian packages, in packages/.
deb: setup
	@./setup.sh --packages deb
	@mkdir -p packages && rm -f packages/*.deb
	FETCHD_DEPENDENCIES=$(PREFIX_OF_DEPENDENCIES) FETCHD_PACKAGES=packages debian/rules binary
	@dh_clean
	@ls -l packages/*.deb

# The packages on a fresh Debian in a container with a real systemd; as root.
test-systemd: deb
	@./setup.sh --packages systemd
	/usr/bin/python3 tests/systemd/test_systemd.py $(TESTS)

# Programs for Windows, in a zip, and their tests under Wine.
setup-windows:
	@./setup.sh --build-only
	@windows-service/setup.sh

windows: setup-windows
	$(call configure,build-windows,-Dprefer_static=true $(MESON_ARGS),--cross-file $(PREFIX_FOR_WINDOWS)/cross.ini)
	@ninja -C build-windows
	@windows-service/pack build-windows

test-windows: setup-tests windows
	tests/windows/run $(TESTS)

# Builds only what was never built: under sudo there is another home, so another cache.
install:
	@test -f $(BUILD)/.configured || $(MAKE) build
	meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir '$(abspath $(DESTDIR))')
	@if [ -z '$(DESTDIR)' ] && [ -d /run/systemd/system ]; then \
	  systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && \
	  echo 'Now: systemctl enable --now fetchd.socket' ; \
	fi
