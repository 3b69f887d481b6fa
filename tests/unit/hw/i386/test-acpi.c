/*
 * ACPI: the AML writer's encodings, checksums after relocation, and iasl's opinion of every table; SMBIOS' structure.
 */
#include "hw/i386/acpi-build.h"
#include "hw/i386/pc.h"
#include "hw/i386/smbios.h"
#include "tests.h"

#include <glib/gstdio.h>

static uint8_t sum(const uint8_t *p, size_t len)
{
    uint8_t s = 0;

    while (len--) {
        s += *p++;
    }
    return s;
}

static void assert_bytes(GByteArray *got, const void *want, size_t len)
{
    g_assert_cmpmem(got->data, got->len, want, len);
    g_byte_array_unref(got);
}

static void test_aml_encodings(void)
{
    static const uint8_t ints[] = { 0x00, 0x01, 0x0a, 0x02, 0x0a, 0xff, 0x0b, 0x00, 0x01, 0x0c, 0x00, 0x00, 0x01, 0x00,
                                    0x0e, 0, 0, 0, 0, 1, 0, 0, 0 };
    static const uint8_t eisa[] = { 0x0c, 0x41, 0xd0, 0x0a, 0x08 };
    static const uint8_t path[] = { '\\', 0x2f, 3, '_', 'S', 'B', '_', 'P', 'C', 'I', '0', 'X', '_', '_', '_' };
    static const uint8_t device[] = { 0x5b, 0x82, 0x0b, 'A', '_', '_', '_', 0x08, 'B', '_', '_', '_', 0x01 };
    GByteArray *b;
    Aml a;

    aml_init(&a);
    for (const uint64_t *v = (const uint64_t[]){ 0, 1, 2, 255, 256, 65536, 1ull << 32, UINT64_MAX }; *v != UINT64_MAX; v++) {
        aml_int(&a, *v);
    }
    assert_bytes(aml_finish(&a), ints, sizeof(ints));
    aml_init(&a);
    aml_eisaid(&a, "PNP0A08");
    assert_bytes(aml_finish(&a), eisa, sizeof(eisa));
    aml_init(&a);
    aml_path(&a, "\\_SB.PCI0.X");
    assert_bytes(aml_finish(&a), path, sizeof(path));
    aml_init(&a);
    aml_begin_device(&a, "A");
    aml_name_int(&a, "B", 1);
    aml_end(&a);
    assert_bytes(aml_finish(&a), device, sizeof(device));
    aml_init(&a);
    aml_begin_scope(&a, "A");
    for (unsigned i = 0; i < 100; i++) {
        aml_op(&a, AML_ONE);
    }
    aml_end(&a);
    b = aml_finish(&a);
    g_assert_cmphex(b->data[1], ==, 0x4a);          /* 106 = 0x6a: low nibble, one more byte follows */
    g_assert_cmphex(b->data[2], ==, 0x06);
    g_byte_array_unref(b);
}

static Vcpu boot_cpu;

/* A board as far as the tables look at it. */
static X86Machine *board(const char *name)
{
    X86Machine *x = X86_MACHINE(object_new(machine_type_find(name)));

    x->m.smp = (SmpConfig){ .cpus = 5, .sockets = 5, .dies = 1, .clusters = 1, .modules = 1, .cores = 1, .threads = 1, .max_cpus = 5 };
    machine_make_cpu_slots(&x->m);
    x->m.cpu_slots[0].cpu = &boot_cpu;
    x->m.cpu_slots[4].arch_id = 300;
    x->m.n_numa = 2;
    x->m.numa_distances_given = true;
    for (unsigned i = 0; i < 2; i++) {
        x->m.numa[i] = (NumaNode){ .present = true, .mem_bytes = 3 * GiB, .distance = { i ? 21 : 10, i ? 10 : 17 } };
    }
    x->m.ram_size = 6 * GiB;
    x->below_4g = 2 * GiB;
    x->above_4g = 4 * GiB;
    x->pci_hole_start = 0xc0000000;
    return x;
}

static AcpiInfo info_of(X86Machine *x, AcpiBoard kind)
{
    if (kind == ACPI_BOARD_Q35) {
        x->ecam_base = 0xb0000000;
        x->ecam_size = 256 * MiB;
    }
    x->m.ram_slots = kind == ACPI_BOARD_MICROVM ? 0 : 3;
    return (AcpiInfo){
        .board = kind, .x86 = x, .pit = true, .rtc = true, .kbd = kind != ACPI_BOARD_MICROVM, .hpet = kind != ACPI_BOARD_MICROVM,
        .com_mask = 0xf, .hpet_id = 0x8086a201, .hole64_base = 8 * GiB, .hole64_size = 32 * GiB,
        .virtio_base = 0xfeb00000, .virtio_size = 512, .virtio_irq_base = 16, .n_virtio = kind == ACPI_BOARD_MICROVM ? 8 : 0,
        .ged_base = 0xfea00000, .ged_irq = 9, .cpu_hotplug_port = kind == ACPI_BOARD_MICROVM ? 0 : 0xcd8,
        .memory_hotplug = kind != ACPI_BOARD_MICROVM, .vmgenid = kind != ACPI_BOARD_MICROVM,
    };
}

static const struct { const char *name; AcpiBoard kind; } boards[] = {
    { "pc", ACPI_BOARD_I440FX }, { "q35", ACPI_BOARD_Q35 }, { "microvm", ACPI_BOARD_MICROVM },
};

#define BASE 0x100000

static const uint8_t *table_at(const AcpiTables *t, uint64_t addr)
{
    g_assert_cmphex(addr, >=, BASE);
    g_assert_cmphex(addr - BASE + 36, <=, t->tables->len);
    return t->tables->data + (addr - BASE);
}

static void test_tables_sum_to_zero(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(boards); i++) {
        X86Machine *x = board(boards[i].name);
        AcpiInfo info = info_of(x, boards[i].kind);
        const uint8_t *xsdt;
        AcpiTables t;

        acpi_build(&info, &t);
        acpi_tables_relocate(&t, BASE);
        g_assert_cmpmem(t.rsdp, 8, "RSD PTR ", 8);
        g_assert_cmphex(sum(t.rsdp, 20), ==, 0);
        g_assert_cmphex(sum(t.rsdp, 36), ==, 0);
        xsdt = table_at(&t, ld64_le(t.rsdp + 24));
        g_assert_cmpmem(xsdt, 4, "XSDT", 4);
        g_assert_cmphex(sum(xsdt, ld32_le(xsdt + 4)), ==, 0);
        for (unsigned e = 36; e < ld32_le(xsdt + 4); e += 8) {
            const uint8_t *h = table_at(&t, ld64_le(xsdt + e));

            g_assert_cmphex(sum(h, ld32_le(h + 4)), ==, 0);
            if (memcmp(h, "FACP", 4) == 0) {
                const uint8_t *dsdt = table_at(&t, ld64_le(h + 140));

                g_assert_cmpuint(ld32_le(h + 4), ==, 268);
                g_assert_cmphex(ld32_le(h + 40), ==, ld64_le(h + 140));
                g_assert_cmpmem(dsdt, 4, "DSDT", 4);
                g_assert_cmphex(sum(dsdt, ld32_le(dsdt + 4)), ==, 0);
            }
        }
        acpi_tables_fini(&t);
        object_unref(x);
    }
}

/* The table with @signature, its header included. */
static const uint8_t *find_table(const AcpiTables *t, const char *signature)
{
    const uint8_t *xsdt = table_at(t, ld64_le(t->rsdp + 24));

    for (unsigned e = 36; e < ld32_le(xsdt + 4); e += 8) {
        const uint8_t *h = table_at(t, ld64_le(xsdt + e));

        if (!memcmp(h, signature, 4)) {
            return h;
        }
    }
    g_error("no table %s", signature);
}

static void test_madt_has_every_possible_cpu(void)
{
    /* five CPUs, the first there, the last with an id that needs the x2APIC form; then the IOAPIC */
    static const uint8_t first[] = { 0, 8, 0, 0, 1, 0, 0, 0 }, second[] = { 0, 8, 1, 1, 0, 0, 0, 0 };
    static const uint8_t last[] = { 9, 16, 0, 0, 0x2c, 1, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0 };
    X86Machine *x = board("q35");
    AcpiInfo info = info_of(x, ACPI_BOARD_Q35);
    const uint8_t *madt;
    AcpiTables t;

    acpi_build(&info, &t);
    acpi_tables_relocate(&t, BASE);
    madt = find_table(&t, "APIC");
    g_assert_cmpmem(madt + 44, 8, first, sizeof(first));
    g_assert_cmpmem(madt + 52, 8, second, sizeof(second));
    g_assert_cmpmem(madt + 44 + 4 * 8, 16, last, sizeof(last));
    g_assert_cmphex(madt[44 + 4 * 8 + 16], ==, 1);
    acpi_tables_fini(&t);
    object_unref(x);
}

/* Where the blob is stands in the table, and firmware is asked to tell it. */
static void test_ssdt_points_at_the_vm_generation_id(void)
{
    X86Machine *x = board("q35");
    AcpiInfo info = info_of(x, ACPI_BOARD_Q35);
    const uint8_t *h;
    AcpiTables t;

    acpi_build(&info, &t);
    g_assert_cmpuint(t.blobs->len, ==, 1);
    g_assert_cmpuint(t.write_backs->len, ==, 1);
    g_assert_cmpuint(g_array_index(t.write_backs, AcpiWriteBack, 0).offset, ==, 40);
    acpi_tables_relocate(&t, BASE);
    h = find_table(&t, "SSDT");
    g_assert_cmpmem(h + 36, 6, "\x08VGIA\x0c", 6);
    g_assert_cmphex(ld32_le(h + 42), ==, X86_VMGENID_ADDR);
    acpi_tables_fini(&t);
    object_unref(x);
}

static void test_slit_is_the_matrix(void)
{
    static const uint8_t matrix[] = { 2, 0, 0, 0, 0, 0, 0, 0, 10, 17, 21, 10 };
    X86Machine *x = board("q35");
    AcpiInfo info = info_of(x, ACPI_BOARD_Q35);
    const uint8_t *slit;
    AcpiTables t;

    acpi_build(&info, &t);
    acpi_tables_relocate(&t, BASE);
    slit = find_table(&t, "SLIT");
    g_assert_cmpuint(ld32_le(slit + 4), ==, 36 + sizeof(matrix));
    g_assert_cmpmem(slit + 36, sizeof(matrix), matrix, sizeof(matrix));
    acpi_tables_fini(&t);
    object_unref(x);
}

static void run_iasl(const char *const *argv, const char *dir, const char *want)
{
    g_autofree char *out = NULL, *err = NULL;
    g_autoptr(GError) gerr = NULL;
    int status;

    if (!g_spawn_sync(dir, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, &gerr)) {
        g_error("%s", gerr->message);
    }
    if (status != 0 || !strstr(out, want)) {
        g_error("iasl %s %s: %s%s", argv[1], argv[2], out, err);
    }
}

/* Disassembles without complaint; the DSDT's text compiles again without error or warning. */
static void check_with_iasl(const uint8_t *table, const char *dir)
{
    g_autofree char *sig = g_strndup((const char *)table, 4), *aml = g_strconcat(sig, ".aml", NULL), *dsl = g_strconcat(sig, ".dsl", NULL);
    g_autofree char *aml_path = g_build_filename(dir, aml, NULL), *dsl_path = g_build_filename(dir, dsl, NULL), *text = NULL;

    g_assert_true(g_file_set_contents(aml_path, (const char *)table, ld32_le(table + 4), NULL));
    run_iasl((const char *const[]){ "iasl", "-d", aml, NULL }, dir, "");
    g_assert_true(g_file_get_contents(dsl_path, &text, NULL, NULL));
    g_assert_null(strstr(text, "Incorrect checksum"));
    g_assert_null(strstr(text, "ERROR"));
    if (strcmp(sig, "DSDT") == 0) {             /* iasl takes no "QEMUVGID", which the SSDT has, for an id */
        run_iasl((const char *const[]){ "iasl", "-p", "again", dsl, NULL }, dir, "0 Errors, 0 Warnings");
    }
    for (const char *const *n = (const char *const[]){ aml, dsl, "again.aml", NULL }; *n; n++) {
        g_autofree char *path = g_build_filename(dir, *n, NULL);

        g_unlink(path);
    }
}

static void test_iasl_reads_them(void)
{
    g_autofree char *iasl = g_find_program_in_path("iasl"), *dir = NULL;

    if (!iasl) {
        g_test_skip("iasl (package acpica-tools) is not installed");
        return;
    }
    dir = g_dir_make_tmp("quern-acpi-XXXXXX", NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(boards); i++) {
        X86Machine *x = board(boards[i].name);
        AcpiInfo info = info_of(x, boards[i].kind);
        const uint8_t *xsdt;
        AcpiTables t;

        acpi_build(&info, &t);
        acpi_tables_relocate(&t, BASE);
        xsdt = table_at(&t, ld64_le(t.rsdp + 24));
        for (unsigned e = 36; e < ld32_le(xsdt + 4); e += 8) {
            const uint8_t *h = table_at(&t, ld64_le(xsdt + e));

            check_with_iasl(h, dir);
            if (memcmp(h, "FACP", 4) == 0) {
                check_with_iasl(table_at(&t, ld64_le(h + 140)), dir);
            }
        }
        acpi_tables_fini(&t);
        object_unref(x);
    }
    g_rmdir(dir);
}

static void test_smbios_is_well_formed(void)
{
    X86Machine *x = board("q35");
    GByteArray *s = smbios_build(x);
    uint8_t entry[24], seen[256] = { 0 };
    unsigned at = 0;

    while (at + 4 <= s->len) {
        uint8_t type = s->data[at], len = s->data[at + 1];

        g_assert_cmpuint(len, >=, 4);
        seen[type]++;
        at += len;
        g_assert_cmpuint(at + 2, <=, s->len);
        while (s->data[at] || s->data[at + 1]) {
            at++;
            g_assert_cmpuint(at + 2, <=, s->len);
        }
        at += 2;
    }
    g_assert_cmpuint(at, ==, s->len);
    g_assert_cmpuint(seen[1], ==, 1);
    g_assert_cmpuint(seen[4], ==, 5);
    g_assert_cmpuint(seen[17], ==, 1);
    g_assert_cmpuint(seen[19], ==, 2);
    g_assert_cmpuint(seen[127], ==, 1);
    smbios_entry_point(s, 0xf0020, entry);
    g_assert_cmphex(sum(entry, 24), ==, 0);
    g_byte_array_unref(s);
    object_unref(x);
}

void add_acpi_tests(void)
{
    g_test_add_func("/i386/acpi/aml-encodings", test_aml_encodings);
    g_test_add_func("/i386/acpi/tables-sum-to-zero", test_tables_sum_to_zero);
    g_test_add_func("/i386/acpi/madt-has-every-possible-cpu", test_madt_has_every_possible_cpu);
    g_test_add_func("/i386/acpi/ssdt-points-at-the-vm-generation-id", test_ssdt_points_at_the_vm_generation_id);
    g_test_add_func("/i386/acpi/slit-is-the-matrix", test_slit_is_the_matrix);
    g_test_add_func("/i386/acpi/iasl-reads-them", test_iasl_reads_them);
    g_test_add_func("/i386/smbios-is-well-formed", test_smbios_is_well_formed);
}
