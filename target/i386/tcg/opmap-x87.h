/*
 * Escape opcodes D8 to DF, SDM Vol.2 tables: one table x87_d8 .. x87_df each, indexed
 * BY_X87, with further tables indexed BY_RM before it where a register form means eight things.
 */

TABLE(x87_d8, 16)
END

TABLE(x87_d9, 16)
END

TABLE(x87_da, 16)
END

TABLE(x87_db, 16)
END

TABLE(x87_dc, 16)
END

TABLE(x87_dd, 16)
END

TABLE(x87_de, 16)
END

TABLE(x87_df, 16)
END
