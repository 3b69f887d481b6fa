/* The firmware configuration device of a PC, by ports and by DMA. */
#ifndef TESTS_QTEST_LIB_FW_CFG_H
#define TESTS_QTEST_LIB_FW_CFG_H

#include "qtest.h"

enum { FW_CFG_SIGNATURE = 0, FW_CFG_ID = 1, FW_CFG_RAM_SIZE = 3, FW_CFG_NB_CPUS = 5, FW_CFG_FILE_DIR = 0x19 };

void fw_cfg_read(QTest *q, uint16_t key, void *buf, size_t len);
/* By DMA; false if the device reports an error. */
bool fw_cfg_read_dma(QTest *q, uint16_t key, void *buf, size_t len);
/* Key and size of a file; false if there is none. */
bool fw_cfg_find(QTest *q, const char *name, uint16_t *key, uint32_t *size);

#endif
