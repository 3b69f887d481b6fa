/*
 * State tables: what of a device's struct is guest-visible state.
 *
 * Every device declares one from its first commit.  Saving writes the fields in order under the
 * table's name and version; loading treats the stream as hostile: lengths are checked here,
 * meaning is checked by .post_load, which names the field that is wrong.
 */
#ifndef HW_CORE_VMSTATE_H
#define HW_CORE_VMSTATE_H

#include "util/error.h"

typedef struct VMState VMState;

typedef enum VMFieldKind {
    VMF_END, VMF_BOOL, VMF_U8, VMF_U16, VMF_U32, VMF_U64, VMF_I32, VMF_I64, VMF_BUFFER,
    VMF_STRUCT, VMF_TIMER, VMF_STRUCT_POINTER_ARRAY,
} VMFieldKind;

typedef struct VMField {
    const char *name;
    VMFieldKind kind;
    size_t offset;
    size_t size;                /* of one element */
    unsigned count;             /* elements of a fixed array; 1 for a scalar */
    size_t count_offset;        /* uint32_t field with the element count, when var_count */
    bool var_count;             /* @offset then holds a pointer, @count is the upper limit */
    const VMState *vms;         /* VMF_STRUCT */
} VMField;

struct VMState {
    const char *name;
    unsigned version;
    unsigned minimum_version;
    const VMField *fields;      /* ended by VMF_END_OF_LIST */
    bool (*needed)(void *opaque);                       /* for subsections */
    bool (*pre_save)(void *opaque, Error **errp);
    bool (*post_load)(void *opaque, unsigned version, Error **errp);
    const VMState *const *subsections;                  /* NULL-terminated */
};

#define VMF_(k, S, f, n) \
    { .name = #f, .kind = k, .offset = offsetof(S, f), .size = sizeof(((S *)0)->f) / (n), .count = n }
#define VMF_SCALAR_CHECK(S, f, t) (0 * sizeof((&((S *)0)->f) == (t *)0))
#define VMS_BOOL(S, f)      VMF_(VMF_BOOL, S, f, 1)
#define VMS_U8(S, f)        VMF_(VMF_U8, S, f, 1)
#define VMS_U16(S, f)       VMF_(VMF_U16, S, f, 1)
#define VMS_U32(S, f)       VMF_(VMF_U32, S, f, 1)
#define VMS_U64(S, f)       VMF_(VMF_U64, S, f, 1)
#define VMS_I32(S, f)       VMF_(VMF_I32, S, f, 1)
#define VMS_I64(S, f)       VMF_(VMF_I64, S, f, 1)
#define VMS_ARRAY_LEN_(S, f) (sizeof(((S *)0)->f) / sizeof(((S *)0)->f[0]))
#define VMS_U8_ARRAY(S, f)  VMF_(VMF_U8, S, f, VMS_ARRAY_LEN_(S, f))
#define VMS_U16_ARRAY(S, f) VMF_(VMF_U16, S, f, VMS_ARRAY_LEN_(S, f))
#define VMS_U32_ARRAY(S, f) VMF_(VMF_U32, S, f, VMS_ARRAY_LEN_(S, f))
#define VMS_U64_ARRAY(S, f) VMF_(VMF_U64, S, f, VMS_ARRAY_LEN_(S, f))
#define VMS_BUFFER(S, f)    { .name = #f, .kind = VMF_BUFFER, .offset = offsetof(S, f), .size = sizeof(((S *)0)->f), .count = 1 }
#define VMS_TIMER(S, f)     VMF_(VMF_TIMER, S, f, 1)
#define VMS_STRUCT(S, f, vms_) \
    { .name = #f, .kind = VMF_STRUCT, .offset = offsetof(S, f), .size = sizeof(((S *)0)->f), .count = 1, .vms = vms_ }
#define VMS_STRUCT_ARRAY(S, f, vms_) \
    { .name = #f, .kind = VMF_STRUCT, .offset = offsetof(S, f), .size = sizeof(((S *)0)->f[0]), \
      .count = VMS_ARRAY_LEN_(S, f), .vms = vms_ }
/* @f: array of pointers to structs, @n_field (uint32_t or unsigned) says how many; realize built it. */
#define VMS_STRUCT_POINTERS(S, f, n_field, vms_) \
    { .name = #f, .kind = VMF_STRUCT_POINTER_ARRAY, .offset = offsetof(S, f), .size = sizeof(void *), \
      .count_offset = offsetof(S, n_field), .var_count = true, .vms = vms_ }
#define VMS_END             { .kind = VMF_END }

#endif
