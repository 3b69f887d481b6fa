#include "fw-cfg.h"

enum { PORT_SELECT = 0x510, PORT_DATA = 0x511, PORT_DMA = 0x514 };
enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SELECT = 8 };

void fw_cfg_read(QTest *q, uint16_t key, void *buf, size_t len)
{
    qtest_out(q, PORT_SELECT, 2, key);
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)buf)[i] = qtest_inb(q, PORT_DATA);
    }
}

bool fw_cfg_read_dma(QTest *q, uint16_t key, void *buf, size_t len)
{
    uint64_t data = qtest_alloc(q, len, 16), control = qtest_alloc(q, 16, 16);

    qtest_write(q, control, 4, GUINT32_TO_BE((uint32_t)key << 16 | DMA_SELECT | DMA_READ));
    qtest_write(q, control + 4, 4, GUINT32_TO_BE((uint32_t)len));
    qtest_write(q, control + 8, 8, GUINT64_TO_BE(data));
    qtest_out(q, PORT_DMA, 4, GUINT32_TO_BE((uint32_t)(control >> 32)));
    qtest_out(q, PORT_DMA + 4, 4, GUINT32_TO_BE((uint32_t)control));
    qtest_memread(q, data, buf, len);
    return qtest_read(q, control, 4) == 0;
}

bool fw_cfg_find(QTest *q, const char *name, uint16_t *key, uint32_t *size)
{
    struct { uint32_t size; uint16_t key, reserved; char name[56]; } file;
    uint32_t n;

    fw_cfg_read(q, FW_CFG_FILE_DIR, &n, sizeof(n));
    for (n = GUINT32_FROM_BE(n); n; n--) {
        for (size_t i = 0; i < sizeof(file); i++) {
            ((uint8_t *)&file)[i] = qtest_inb(q, PORT_DATA);
        }
        if (!strncmp(file.name, name, sizeof(file.name))) {
            *key = GUINT16_FROM_BE(file.key);
            *size = GUINT32_FROM_BE(file.size);
            return true;
        }
    }
    return false;
}
