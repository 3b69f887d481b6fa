/*
 * Where firmware images are.
 */
#ifndef HW_CORE_FIRMWARE_H
#define HW_CORE_FIRMWARE_H

/*
 * The path of image @name: itself if such a file exists, else the first of Quern's data folder and
 * those where Debian's packages put firmware.  NULL if there is none; free with g_free.
 */
char *firmware_find(const char *name);

#endif
