/* General-purpose rows of 0F 38. */
SUB(0x82, BY_PREFIX, op_0f3882)
SUB(0xf0, BY_PREFIX, op_0f38f0)
SUB(0xf1, BY_PREFIX, op_0f38f1)
SUB(0xf6, BY_PREFIX, op_0f38f6)
