/*
 * Fuzz target: JSON text in, JSON text out.
 *
 *  - the stream parser tells the same however its input is cut into pieces
 *  - what one whole text says survives printing (compact and pretty) and parsing again; only a double that
 *    prints as an integer comes back as one
 */
#include "qapi/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Seen {
    GString *text;              /* of all values and errors, in order */
} Seen;

static void on_emit(void *opaque, Value *v, Error *err)
{
    Seen *seen = opaque;

    assert(!v != !err);
    if (v) {
        json_print(seen->text, v, false);
    } else {
        g_string_append(seen->text, error_get_pretty(err));
    }
    g_string_append_c(seen->text, '\n');
    value_unref(v);
    error_free(err);
}

/* All that the parser says about @data fed in pieces of @piece bytes. */
static char *stream(const uint8_t *data, size_t size, size_t piece)
{
    Seen seen = { g_string_new(NULL) };
    g_autoptr(JsonParser) p = json_parser_new(on_emit, &seen);

    for (size_t at = 0; at < size; at += piece) {
        json_parser_feed(p, (const char *)data + at, MIN(piece, size - at));
    }
    json_parser_end(p);
    return g_string_free(seen.text, FALSE);
}

static void check_round_trip(const Value *v, bool pretty)
{
    g_autofree char *text = json_to_string(v, pretty), *again = NULL;
    g_autoptr(Value) back = json_parse_str(text, &error_abort);

    again = json_to_string(back, pretty);
    assert(!strcmp(text, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = size ? 1 + data[size - 1] % 7 : 1;
    g_autofree char *whole = stream(data, size, MAX(size, 1)), *pieces = stream(data, size, piece);
    g_autoptr(Value) v = json_parse((const char *)data, size, NULL);

    assert(!strcmp(whole, pieces));
    if (v) {
        check_round_trip(v, false);
        check_round_trip(v, true);
    }
    return 0;
}
