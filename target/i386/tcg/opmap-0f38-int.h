/* General-purpose rows of 0F 38. */
