/*
 * Page tables of our own, under which KVM runs the guest's user mode.
 *
 * KVM that shadows page tables learns of changes only by the guest's own writes: what this process writes to a table
 * that KVM has seen is not noticed, except that an entry that was not present may become so, and that rights may grow
 * (KVM looks again at each fault).  So entries are only ever added.  To take something back, all begins anew in tables
 * at guest physical addresses that KVM has never seen as tables.
 *
 * The addresses are many, the memory is little: the span is one piece of memory, seen again and again ("windows").  Only
 * the window in use means anything; when the last one is full, the memory slot is deleted and made again, by which KVM
 * forgets all of it.
 *
 * Reference: SDM Vol.3 4.5 (4-level paging).
 */
#include "target/i386/kvm-tables.h"

#include "util/error.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define TABLE_SIZE      4096u
#define WINDOW_SIZE     KVM_TABLES_BYTES
#define TABLES          (unsigned)(WINDOW_SIZE / TABLE_SIZE)
#define WINDOWS         (unsigned)(KVM_TABLES_SPAN / WINDOW_SIZE)
#define TABLES_LEFT_MIN 16u             /* of a window, to begin with a new root in it */

enum { E_P = 1, E_W = 2, E_U = 4, E_A = 0x20, E_D = 0x40 };
#define E_XD            BIT_ULL(63)
#define E_ADDR          0x000ffffffffff000ull

struct KvmTables {
    uint8_t *span;              /* WINDOWS mappings of the same memory */
    hwaddr gpa;
    unsigned window, used;      /* tables of the window */
    unsigned root;
};

KvmTables *kvm_tables_new(Error **errp)
{
    g_autofree KvmTables *t = g_new0(KvmTables, 1);
    int fd = memfd_create("quern-kvm-tables", MFD_CLOEXEC);
    bool ok = fd >= 0 && ftruncate(fd, WINDOW_SIZE) == 0;

    t->span = mmap(NULL, KVM_TABLES_SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ok = ok && t->span != MAP_FAILED;
    for (unsigned i = 0; ok && i < WINDOWS; i++) {
        ok = mmap(t->span + i * WINDOW_SIZE, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;
    }
    if (!ok) {
        error_setg_errno(errp, errno, "cannot map memory for page tables");
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!ok && t->span != MAP_FAILED) {
        munmap(t->span, KVM_TABLES_SPAN);
    }
    return ok ? g_steal_pointer(&t) : NULL;
}

void kvm_tables_free(KvmTables *t)
{
    if (t) {
        munmap(t->span, KVM_TABLES_SPAN);
        g_free(t);
    }
}

void *kvm_tables_memory(KvmTables *t)
{
    return t->span;
}

void kvm_tables_place(KvmTables *t, hwaddr gpa)
{
    t->gpa = gpa;
    kvm_tables_recycle(t);
}

void kvm_tables_recycle(KvmTables *t)
{
    t->window = t->used = 0;
}

static uint64_t *table_at(const KvmTables *t, unsigned n)
{
    return (uint64_t *)(t->span + n * TABLE_SIZE);
}

static hwaddr table_gpa(const KvmTables *t, unsigned n)
{
    return t->gpa + t->window * WINDOW_SIZE + n * TABLE_SIZE;
}

/* The caller knows that there is one. */
static unsigned table_take(KvmTables *t)
{
    memset(table_at(t, t->used), 0, TABLE_SIZE);
    return t->used++;
}

bool kvm_tables_restart(KvmTables *t)
{
    if (t->used > TABLES - TABLES_LEFT_MIN) {
        t->window++;
        t->used = 0;
    }
    if (t->window == WINDOWS) {
        return false;
    }
    t->root = table_take(t);
    return true;
}

hwaddr kvm_tables_root(const KvmTables *t)
{
    return table_gpa(t, t->root);
}

bool kvm_tables_map(KvmTables *t, vaddr va, hwaddr pa, bool write, bool exec)
{
    uint64_t leaf = pa | E_P | E_U | E_A | (write ? E_W | E_D : 0) | (exec ? 0 : E_XD);
    uint64_t *e = table_at(t, t->root);

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = &e[va >> shift & 511];

        if (!(*entry & E_P)) {
            if (t->used == TABLES) {
                return false;
            }
            *entry = table_gpa(t, table_take(t)) | E_P | E_W | E_U | E_A;
        }
        e = table_at(t, (unsigned)(((*entry & E_ADDR) - table_gpa(t, 0)) / TABLE_SIZE));
    }
    e = &e[va >> 12 & 511];
    if (*e & E_P) {
        uint64_t lost = (*e & ~leaf & (E_W | E_D)) | (~*e & leaf & E_XD);

        if (lost || ((*e ^ leaf) & E_ADDR)) {
            return false;
        }
    }
    __atomic_store_n(e, leaf, __ATOMIC_RELEASE);
    return true;
}
