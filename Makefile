# Quern: the few commands a newcomer needs.  The build itself is meson's (see ./configure --help).
#
#   make            build build/quern
#   make demo       install what is needed, build, boot a Debian kernel to a shell   [ARGS="-smp 4"]
#   make check      install what is needed, build, run every quick suite
#   make check-asan      the unit, qtest and client suites under AddressSanitizer and UBSan, in build-asan
#   make check-libvirt   a domain's life through a private libvirt daemon (as root, libvirt installed)
#   make bench      start-up, workloads beside QEMU (if it is installed)   [ROWS="small fork xz"] [TURNS=5] [CLOCK=cpu]
#   make fuzz       run the fuzz targets          [DURATION=300 seconds] [TARGETS="json options qmp"]
#   make isa-random random instruction sequences against the host CPU   [DURATION=300 seconds] [SEED=1]
#   make docs       the manual as HTML
#   make install    [DESTDIR=...] [PREFIX=/usr/local]

BUILD ?= build
PREFIX ?= /usr/local

DURATION ?= 300
SEED ?= 1
TARGETS ?= json options qmp
TURNS ?= 5
CLOCK ?= guest

.PHONY: all demo check check-asan check-libvirt bench fuzz isa-random docs install clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) quern quern-system-x86_64

$(BUILD)/build.ninja:
	@scripts/install-deps build
	@./configure --builddir=$(BUILD) --prefix=$(PREFIX)

demo: all
	@scripts/install-deps demo
	@scripts/make-guest $(BUILD)/guest
	@scripts/demo $(BUILD) $(ARGS)

check: $(BUILD)/build.ninja
	@scripts/install-deps check
	@ninja -C $(BUILD)
	@scripts/make-guest $(BUILD)/guest
	@scripts/check $(BUILD)

check-asan:
	@scripts/install-deps check
	@[ -f build-asan/build.ninja ] || ./configure --builddir=build-asan --enable-sanitizers
	@ninja -C build-asan
	@QUERN_TEST_TIMEOUT=120 scripts/check build-asan --timeout-multiplier 5 --suite unit --suite qtest --suite client

check-libvirt: all
	@scripts/install-deps demo
	@scripts/make-guest $(BUILD)/guest
	@python3 tests/client/libvirt.py $(BUILD)/quern $(BUILD)/guest --hide-kvm

bench: all
	@scripts/install-deps demo
	@scripts/make-guest $(BUILD)/guest
	@$(if $(ROWS),,python3 tests/bench/start-up.py --build $(BUILD))
	@python3 tests/bench/workloads.py --build $(BUILD) --rows="$(ROWS)" --turns $(TURNS) --clock $(CLOCK) --cflags="$(CFLAGS_ROWS)"
	@$(if $(ROWS),,python3 tests/bench/net.py --build $(BUILD))
	@$(if $(ROWS),,python3 tests/bench/cache.py --build $(BUILD))
	@$(if $(ROWS),,python3 tests/bench/virtio-mem.py --build $(BUILD))
	@$(if $(ROWS),,[ ! -w /dev/kvm ] || python3 tests/bench/memslots.py --build $(BUILD))

fuzz:
	@scripts/install-deps fuzz
	@[ -f build-fuzz/build.ninja ] || ./configure --builddir=build-fuzz --cc=clang --enable-fuzzing
	@ninja -C build-fuzz $(TARGETS:%=tests/fuzz/fuzz-%) qapi/qapi-examples.json
	@python3 tests/fuzz/run.py build-fuzz $(DURATION) $(TARGETS)

isa-random: $(BUILD)/build.ninja
	@ninja -C $(BUILD) tests/isa/random/isa-random
	@python3 tests/isa/random/run.py $(BUILD)/tests/isa/random/isa-random $(DURATION) $(SEED)

docs:
	@scripts/install-deps docs
	@python3 qapi/gen/doc.py qapi/schema.json docs/user/qmp-reference.rst
	@sphinx-build -q -W -b html docs $(BUILD)/docs && echo "$(BUILD)/docs/index.html"

install: all
	@meson install -C $(BUILD)

clean:
	@rm -rf $(BUILD) build-asan build-fuzz
