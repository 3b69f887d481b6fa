/*
 * Typed data: C structures described by tables, converted from and to Values.
 *
 * The generator (qapi/gen) writes, for each type of the schema, a C type and one constant QapiType
 * that describes it; the code here walks these tables.  How schema types look in C:
 *
 *   str              char *                        int, uint8, size, ...   int64_t, uint8_t, uint64_t, ...
 *   bool             bool                          number                  double
 *   any, null        Value *                       enum                    enum QapiName
 *   struct, union, alternate   QapiName *          ['T']                   QapiTList *: { size_t len; T *at; }
 *
 * An optional member held by pointer is NULL when absent; others have a `bool has_NAME` before them.
 */
#ifndef QAPI_QAPI_H
#define QAPI_QAPI_H

#include "util/value.h"

typedef enum QapiKind {
    QAPI_KIND_STR, QAPI_KIND_BOOL, QAPI_KIND_INT, QAPI_KIND_UINT, QAPI_KIND_SIZE, QAPI_KIND_NUMBER,
    QAPI_KIND_ANY, QAPI_KIND_NULL, QAPI_KIND_ENUM,
    QAPI_KIND_STRUCT, QAPI_KIND_UNION, QAPI_KIND_ALTERNATE, QAPI_KIND_LIST,
} QapiKind;

typedef struct QapiType QapiType;

typedef struct QapiMember {
    const char *name;
    const QapiType *type;
    uint32_t offset;
    bool optional;
    bool has_flag;                  /* presence is a bool at @has_offset; else an optional member's pointer tells */
    uint32_t has_offset;
} QapiMember;

struct QapiType {
    const char *name;
    QapiKind kind;
    uint32_t size;                  /* scalars: of the value; aggregates: of what the pointer points to */
    const char *const *values;      /* enums */
    unsigned n_values;
    const QapiMember *members;      /* structs, unions (common part); bases first */
    unsigned n_members;
    const QapiType *element;        /* lists */
    /* Unions: by value of the tag; alternates: by branch number.  NULL = nothing more. */
    const QapiType *const *variants;
    uint32_t tag_offset;            /* unions: of the tag member; alternates: of the branch number */
    uint32_t variants_offset;       /* of the C union */
};

/* Every list type's C shape, for the generic code. */
typedef struct QapiAnyList {
    size_t len;
    void *at;
} QapiAnyList;

/* Appends a zeroed element and gives its address. */
#define QAPI_LIST_APPEND(list) \
    ((list)->at = g_realloc((list)->at, ((list)->len + 1) * sizeof(*(list)->at)), \
     memset(&(list)->at[(list)->len], 0, sizeof(*(list)->at)), \
     &(list)->at[(list)->len++])

enum {
    /*
     * Command-line text: scalars are strings in their human spelling (on/off, 0x10, 4G); a list may
     * be given as one scalar.
     */
    QAPI_FROM_TEXT = 1,
};

/*
 * Convert @v (borrowed) into *@slot, which is of the member representation above and zeroed.
 * On failure *@slot is left empty and the message names the member by its path ("a.b[2].c").
 */
bool qapi_from_value(const QapiType *type, const Value *v, unsigned flags, void *slot, Error **errp) MUST_USE;
Value *qapi_to_value(const QapiType *type, const void *slot);
void qapi_clear(const QapiType *type, void *slot);
void *qapi_clone(const QapiType *type, const void *aggregate);
int qapi_enum_parse(const QapiType *type, const char *name);    /* -1 if unknown */

/* Human spelling of numbers.  False and @errp (naming @what) when @text is none or out of range. */
bool qapi_parse_size(const char *what, const char *text, uint64_t *out, Error **errp) MUST_USE;
bool qapi_parse_bool(const char *what, const char *text, bool *out, Error **errp) MUST_USE;
bool qapi_parse_uint(const char *what, const char *text, uint64_t *out, Error **errp) MUST_USE;
bool qapi_parse_int(const char *what, const char *text, int64_t *out, Error **errp) MUST_USE;

extern const QapiType qapi_type_str, qapi_type_bool, qapi_type_any, qapi_type_null, qapi_type_number,
    qapi_type_int, qapi_type_int8, qapi_type_int16, qapi_type_int32, qapi_type_int64,
    qapi_type_uint8, qapi_type_uint16, qapi_type_uint32, qapi_type_uint64, qapi_type_size,
    qapi_type_strList, qapi_type_boolList, qapi_type_anyList, qapi_type_intList, qapi_type_uint8List, qapi_type_uint16List,
    qapi_type_uint32List, qapi_type_uint64List, qapi_type_sizeList, qapi_type_numberList;

typedef struct QapiStrList { size_t len; char **at; } QapiStrList;
typedef struct QapiBoolList { size_t len; bool *at; } QapiBoolList;
typedef struct QapiAnyValueList { size_t len; Value **at; } QapiAnyValueList;
typedef struct QapiIntList { size_t len; int64_t *at; } QapiIntList;
typedef struct QapiUint8List { size_t len; uint8_t *at; } QapiUint8List;
typedef struct QapiUint16List { size_t len; uint16_t *at; } QapiUint16List;
typedef struct QapiUint32List { size_t len; uint32_t *at; } QapiUint32List;
typedef struct QapiUint64List { size_t len; uint64_t *at; } QapiUint64List;
typedef struct QapiSizeList { size_t len; uint64_t *at; } QapiSizeList;
typedef struct QapiNumberList { size_t len; double *at; } QapiNumberList;

/* --- commands --- */

enum {
    QAPI_CMD_OOB          = 1 << 0,     /* may run out of band */
    QAPI_CMD_PRECONFIG    = 1 << 1,     /* allowed before the machine is built */
    QAPI_CMD_NO_RESPONSE  = 1 << 2,     /* answers on failure only */
    QAPI_CMD_RAW          = 1 << 3,     /* takes its arguments and gives its result as Values */
};

typedef struct QapiCommand {
    const char *name;
    const QapiType *args;               /* NULL = none */
    const QapiType *ret;                /* NULL = none */
    unsigned flags;
    /* @args: the argument structure, or the Value dict (RAW); @ret: slot of the result. */
    bool (*call)(const void *args, void *ret, Error **errp);
} QapiCommand;

typedef struct QapiCommandTable {
    const QapiCommand *commands;        /* sorted by name */
    unsigned n;
} QapiCommandTable;

const QapiCommand *qapi_command_find(const QapiCommandTable *t, const char *name);

enum {
    QAPI_DISPATCH_OOB       = 1 << 0,   /* "exec-oob" instead of "execute" is known */
    QAPI_DISPATCH_PRECONFIG = 1 << 1,   /* only commands that QAPI_CMD_PRECONFIG marks are permitted */
    QAPI_DISPATCH_NEGOTIATE = 1 << 2,   /* only qmp_capabilities is known */
};

/*
 * Answer one request {"execute": NAME, "arguments": {...}, "id": ANY}.  Never NULL: a reply with
 * "return" or "error", "id" echoed; except for a command without response that succeeded.
 */
Value *qapi_dispatch(const QapiCommandTable *t, const Value *request, unsigned flags);
/* The error reply for @err (consumed); @id is borrowed and may be NULL. */
Value *qapi_error_reply(Error *err, Value *id);

/* --- events --- */

/* Where events go: the monitor's.  @data is owned by the callee and may be NULL. */
typedef void QapiEventSink(const char *event, Value *data);
void qapi_event_set_sink(QapiEventSink *sink);
/* Used by generated code. */
void qapi_event_emit(const char *event, Value *data);

#endif
