/* The parts of this test program. */
#ifndef TEST_MEM_H
#define TEST_MEM_H

void add_memslots_tests(void);

#endif
