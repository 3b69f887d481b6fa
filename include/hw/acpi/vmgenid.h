/*
 * Virtual machine generation id: a number in guest memory that changes when a machine goes on as another one did before.
 */
#ifndef HW_ACPI_VMGENID_H
#define HW_ACPI_VMGENID_H

#include "hw/acpi/pm.h"
#include "hw/acpi/tables.h"

typedef struct VmGenId VmGenId;         /* "vmgenid" */

enum { VMGENID_GPE = 5, VMGENID_PAGE = 4096, VMGENID_GUID_AT = 40 };

/* The machine's; NULL if it has none.  There is at most one. */
VmGenId *vmgenid_find(void);
/* Changes raise general-purpose event VMGENID_GPE of @pm. */
void vmgenid_connect(VmGenId *s, AcpiPm *pm);
/* At a reset, without firmware: write the page at @addr, page-aligned, and remember where it is. */
void vmgenid_place(VmGenId *s, hwaddr addr);
/* The SSDT; @placed_at: where a direct boot has the page.  Returns the table's offset. */
uint32_t vmgenid_build_ssdt(AcpiTables *t, hwaddr placed_at);

#endif
