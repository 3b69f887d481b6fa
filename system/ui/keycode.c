/*
 * Key codes: QMP's names and X11's keysyms as PS/2 scan codes, set 1, 0x80 added for an E0 prefix.
 *
 * References: IBM PS/2 Hardware Interface Technical Reference, keyboard scan codes; X11 keysymdef.
 */
#include "qapi/qapi-types.h"
#include "system/input.h"

static const uint8_t qcodes[QAPI_Q_KEY_CODE__MAX] = {
    [QAPI_Q_KEY_CODE_SHIFT] = 0x2a, [QAPI_Q_KEY_CODE_SHIFT_R] = 0x36, [QAPI_Q_KEY_CODE_ALT] = 0x38,
    [QAPI_Q_KEY_CODE_ALT_R] = 0xb8, [QAPI_Q_KEY_CODE_CTRL] = 0x1d, [QAPI_Q_KEY_CODE_CTRL_R] = 0x9d,
    [QAPI_Q_KEY_CODE_MENU] = 0x9e, [QAPI_Q_KEY_CODE_ESC] = 0x01, [QAPI_Q_KEY_CODE_1] = 0x02,
    [QAPI_Q_KEY_CODE_2] = 0x03, [QAPI_Q_KEY_CODE_3] = 0x04, [QAPI_Q_KEY_CODE_4] = 0x05, [QAPI_Q_KEY_CODE_5] = 0x06,
    [QAPI_Q_KEY_CODE_6] = 0x07, [QAPI_Q_KEY_CODE_7] = 0x08, [QAPI_Q_KEY_CODE_8] = 0x09, [QAPI_Q_KEY_CODE_9] = 0x0a,
    [QAPI_Q_KEY_CODE_0] = 0x0b, [QAPI_Q_KEY_CODE_MINUS] = 0x0c, [QAPI_Q_KEY_CODE_EQUAL] = 0x0d,
    [QAPI_Q_KEY_CODE_BACKSPACE] = 0x0e, [QAPI_Q_KEY_CODE_TAB] = 0x0f, [QAPI_Q_KEY_CODE_Q] = 0x10,
    [QAPI_Q_KEY_CODE_W] = 0x11, [QAPI_Q_KEY_CODE_E] = 0x12, [QAPI_Q_KEY_CODE_R] = 0x13, [QAPI_Q_KEY_CODE_T] = 0x14,
    [QAPI_Q_KEY_CODE_Y] = 0x15, [QAPI_Q_KEY_CODE_U] = 0x16, [QAPI_Q_KEY_CODE_I] = 0x17, [QAPI_Q_KEY_CODE_O] = 0x18,
    [QAPI_Q_KEY_CODE_P] = 0x19, [QAPI_Q_KEY_CODE_BRACKET_LEFT] = 0x1a, [QAPI_Q_KEY_CODE_BRACKET_RIGHT] = 0x1b,
    [QAPI_Q_KEY_CODE_RET] = 0x1c, [QAPI_Q_KEY_CODE_A] = 0x1e, [QAPI_Q_KEY_CODE_S] = 0x1f, [QAPI_Q_KEY_CODE_D] = 0x20,
    [QAPI_Q_KEY_CODE_F] = 0x21, [QAPI_Q_KEY_CODE_G] = 0x22, [QAPI_Q_KEY_CODE_H] = 0x23, [QAPI_Q_KEY_CODE_J] = 0x24,
    [QAPI_Q_KEY_CODE_K] = 0x25, [QAPI_Q_KEY_CODE_L] = 0x26, [QAPI_Q_KEY_CODE_SEMICOLON] = 0x27,
    [QAPI_Q_KEY_CODE_APOSTROPHE] = 0x28, [QAPI_Q_KEY_CODE_GRAVE_ACCENT] = 0x29, [QAPI_Q_KEY_CODE_BACKSLASH] = 0x2b,
    [QAPI_Q_KEY_CODE_Z] = 0x2c, [QAPI_Q_KEY_CODE_X] = 0x2d, [QAPI_Q_KEY_CODE_C] = 0x2e, [QAPI_Q_KEY_CODE_V] = 0x2f,
    [QAPI_Q_KEY_CODE_B] = 0x30, [QAPI_Q_KEY_CODE_N] = 0x31, [QAPI_Q_KEY_CODE_M] = 0x32,
    [QAPI_Q_KEY_CODE_COMMA] = 0x33, [QAPI_Q_KEY_CODE_DOT] = 0x34, [QAPI_Q_KEY_CODE_SLASH] = 0x35,
    [QAPI_Q_KEY_CODE_ASTERISK] = 0x37, [QAPI_Q_KEY_CODE_SPC] = 0x39, [QAPI_Q_KEY_CODE_CAPS_LOCK] = 0x3a,
    [QAPI_Q_KEY_CODE_F1] = 0x3b, [QAPI_Q_KEY_CODE_F2] = 0x3c, [QAPI_Q_KEY_CODE_F3] = 0x3d,
    [QAPI_Q_KEY_CODE_F4] = 0x3e, [QAPI_Q_KEY_CODE_F5] = 0x3f, [QAPI_Q_KEY_CODE_F6] = 0x40,
    [QAPI_Q_KEY_CODE_F7] = 0x41, [QAPI_Q_KEY_CODE_F8] = 0x42, [QAPI_Q_KEY_CODE_F9] = 0x43,
    [QAPI_Q_KEY_CODE_F10] = 0x44, [QAPI_Q_KEY_CODE_NUM_LOCK] = 0x45, [QAPI_Q_KEY_CODE_SCROLL_LOCK] = 0x46,
    [QAPI_Q_KEY_CODE_KP_DIVIDE] = 0xb5, [QAPI_Q_KEY_CODE_KP_MULTIPLY] = 0x37, [QAPI_Q_KEY_CODE_KP_SUBTRACT] = 0x4a,
    [QAPI_Q_KEY_CODE_KP_ADD] = 0x4e, [QAPI_Q_KEY_CODE_KP_ENTER] = 0x9c, [QAPI_Q_KEY_CODE_KP_DECIMAL] = 0x53,
    [QAPI_Q_KEY_CODE_SYSRQ] = 0x54, [QAPI_Q_KEY_CODE_KP_0] = 0x52, [QAPI_Q_KEY_CODE_KP_1] = 0x4f,
    [QAPI_Q_KEY_CODE_KP_2] = 0x50, [QAPI_Q_KEY_CODE_KP_3] = 0x51, [QAPI_Q_KEY_CODE_KP_4] = 0x4b,
    [QAPI_Q_KEY_CODE_KP_5] = 0x4c, [QAPI_Q_KEY_CODE_KP_6] = 0x4d, [QAPI_Q_KEY_CODE_KP_7] = 0x47,
    [QAPI_Q_KEY_CODE_KP_8] = 0x48, [QAPI_Q_KEY_CODE_KP_9] = 0x49, [QAPI_Q_KEY_CODE_LESS] = 0x56,
    [QAPI_Q_KEY_CODE_F11] = 0x57, [QAPI_Q_KEY_CODE_F12] = 0x58, [QAPI_Q_KEY_CODE_PRINT] = 0xb7,
    [QAPI_Q_KEY_CODE_HOME] = 0xc7, [QAPI_Q_KEY_CODE_PGUP] = 0xc9, [QAPI_Q_KEY_CODE_PGDN] = 0xd1,
    [QAPI_Q_KEY_CODE_END] = 0xcf, [QAPI_Q_KEY_CODE_LEFT] = 0xcb, [QAPI_Q_KEY_CODE_UP] = 0xc8,
    [QAPI_Q_KEY_CODE_DOWN] = 0xd0, [QAPI_Q_KEY_CODE_RIGHT] = 0xcd, [QAPI_Q_KEY_CODE_INSERT] = 0xd2,
    [QAPI_Q_KEY_CODE_DELETE] = 0xd3, [QAPI_Q_KEY_CODE_STOP] = 0xe8, [QAPI_Q_KEY_CODE_AGAIN] = 0x85,
    [QAPI_Q_KEY_CODE_PROPS] = 0x86, [QAPI_Q_KEY_CODE_UNDO] = 0x87, [QAPI_Q_KEY_CODE_FRONT] = 0x8c,
    [QAPI_Q_KEY_CODE_COPY] = 0xf8, [QAPI_Q_KEY_CODE_OPEN] = 0x64, [QAPI_Q_KEY_CODE_PASTE] = 0x65,
    [QAPI_Q_KEY_CODE_FIND] = 0xc1, [QAPI_Q_KEY_CODE_CUT] = 0xbc, [QAPI_Q_KEY_CODE_LF] = 0x5b,
    [QAPI_Q_KEY_CODE_HELP] = 0xf5, [QAPI_Q_KEY_CODE_META_L] = 0xdb, [QAPI_Q_KEY_CODE_META_R] = 0xdc,
    [QAPI_Q_KEY_CODE_COMPOSE] = 0xdd, [QAPI_Q_KEY_CODE_PAUSE] = 0xc6, [QAPI_Q_KEY_CODE_RO] = 0x73,
    [QAPI_Q_KEY_CODE_HIRAGANA] = 0x77, [QAPI_Q_KEY_CODE_HENKAN] = 0x79, [QAPI_Q_KEY_CODE_YEN] = 0x7d,
    [QAPI_Q_KEY_CODE_MUHENKAN] = 0x7b, [QAPI_Q_KEY_CODE_KATAKANAHIRAGANA] = 0x70, [QAPI_Q_KEY_CODE_KP_COMMA] = 0x7e,
    [QAPI_Q_KEY_CODE_KP_EQUALS] = 0x59, [QAPI_Q_KEY_CODE_POWER] = 0xde, [QAPI_Q_KEY_CODE_SLEEP] = 0xdf,
    [QAPI_Q_KEY_CODE_WAKE] = 0xe3, [QAPI_Q_KEY_CODE_AUDIONEXT] = 0x99, [QAPI_Q_KEY_CODE_AUDIOPREV] = 0x90,
    [QAPI_Q_KEY_CODE_AUDIOSTOP] = 0xa4, [QAPI_Q_KEY_CODE_AUDIOPLAY] = 0xa2, [QAPI_Q_KEY_CODE_AUDIOMUTE] = 0xa0,
    [QAPI_Q_KEY_CODE_VOLUMEUP] = 0xb0, [QAPI_Q_KEY_CODE_VOLUMEDOWN] = 0xae, [QAPI_Q_KEY_CODE_MEDIASELECT] = 0xed,
    [QAPI_Q_KEY_CODE_MAIL] = 0xec, [QAPI_Q_KEY_CODE_CALCULATOR] = 0xa1, [QAPI_Q_KEY_CODE_COMPUTER] = 0xeb,
    [QAPI_Q_KEY_CODE_AC_HOME] = 0xb2, [QAPI_Q_KEY_CODE_AC_BACK] = 0xea, [QAPI_Q_KEY_CODE_AC_FORWARD] = 0xe9,
    [QAPI_Q_KEY_CODE_AC_REFRESH] = 0xe7, [QAPI_Q_KEY_CODE_AC_BOOKMARKS] = 0xe6, [QAPI_Q_KEY_CODE_LANG1] = 0x72,
    [QAPI_Q_KEY_CODE_LANG2] = 0x71, [QAPI_Q_KEY_CODE_F13] = 0x5d, [QAPI_Q_KEY_CODE_F14] = 0x5e,
    [QAPI_Q_KEY_CODE_F15] = 0x5f, [QAPI_Q_KEY_CODE_F16] = 0x55, [QAPI_Q_KEY_CODE_F17] = 0x83,
    [QAPI_Q_KEY_CODE_F18] = 0xf7, [QAPI_Q_KEY_CODE_F19] = 0x84, [QAPI_Q_KEY_CODE_F20] = 0x5a,
    [QAPI_Q_KEY_CODE_F21] = 0x74, [QAPI_Q_KEY_CODE_F22] = 0xf9, [QAPI_Q_KEY_CODE_F23] = 0x6d,
    [QAPI_Q_KEY_CODE_F24] = 0x6f,
};

unsigned input_code_of_qcode(int qcode)
{
    return qcode >= 0 && qcode < QAPI_Q_KEY_CODE__MAX ? qcodes[qcode] : 0;
}

/* US layout: both characters of each key, in the order of the codes. */
static const struct {
    uint8_t first;
    const char *plain, *shifted;
} us_rows[] = {
    { 0x02, "1234567890-=", "!@#$%^&*()_+" },
    { 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
    { 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
    { 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
    { 0x39, " ", " " },
};

static const struct { uint16_t keysym; uint8_t code; } functions[] = {
    { 0xff08, 0x0e }, { 0xff09, 0x0f }, { 0xfe20, 0x0f }, { 0xff0d, 0x1c }, { 0xff13, 0xc6 }, { 0xff14, 0x46 },
    { 0xff15, 0x54 }, { 0xff1b, 0x01 }, { 0xff50, 0xc7 }, { 0xff51, 0xcb }, { 0xff52, 0xc8 }, { 0xff53, 0xcd },
    { 0xff54, 0xd0 }, { 0xff55, 0xc9 }, { 0xff56, 0xd1 }, { 0xff57, 0xcf }, { 0xff61, 0xb7 }, { 0xff63, 0xd2 },
    { 0xff67, 0xdd }, { 0xff7f, 0x45 }, { 0xff8d, 0x9c }, { 0xffaa, 0x37 }, { 0xffab, 0x4e }, { 0xffad, 0x4a },
    { 0xffae, 0x53 }, { 0xffaf, 0xb5 }, { 0xffb0, 0x52 }, { 0xffb1, 0x4f }, { 0xffb2, 0x50 }, { 0xffb3, 0x51 },
    { 0xffb4, 0x4b }, { 0xffb5, 0x4c }, { 0xffb6, 0x4d }, { 0xffb7, 0x47 }, { 0xffb8, 0x48 }, { 0xffb9, 0x49 },
    { 0xff95, 0x47 }, { 0xff96, 0x4b }, { 0xff97, 0x48 }, { 0xff98, 0x4d }, { 0xff99, 0x50 }, { 0xff9a, 0x49 },
    { 0xff9b, 0x51 }, { 0xff9c, 0x4f }, { 0xff9d, 0x4c }, { 0xff9e, 0x52 }, { 0xff9f, 0x53 },
    { 0xffe1, 0x2a }, { 0xffe2, 0x36 }, { 0xffe3, 0x1d }, { 0xffe4, 0x9d }, { 0xffe5, 0x3a }, { 0xffe7, 0xdb },
    { 0xffe8, 0xdc }, { 0xffe9, 0x38 }, { 0xffea, 0xb8 }, { 0xffeb, 0xdb }, { 0xffec, 0xdc }, { 0xfe03, 0xb8 },
    { 0xffff, 0xd3 },
};

unsigned input_code_of_keysym(uint32_t keysym)
{
    for (unsigned i = 0; keysym > 0 && keysym < 0x80 && i < ARRAY_SIZE(us_rows); i++) {
        const char *at = strchr(us_rows[i].plain, (int)keysym), *up = strchr(us_rows[i].shifted, (int)keysym);

        if (at || up) {
            return us_rows[i].first + (at ? at - us_rows[i].plain : up - us_rows[i].shifted);
        }
    }
    if (keysym >= 0xffbe && keysym <= 0xffc9) {         /* F1 .. F12 */
        return keysym <= 0xffc7 ? 0x3b + (keysym - 0xffbe) : 0x57 + (keysym - 0xffc8);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(functions); i++) {
        if (functions[i].keysym == keysym) {
            return functions[i].code;
        }
    }
    return 0;
}
