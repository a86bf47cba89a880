/* Meets its misfortune when it is opened, before anybody reads a table. */
#include "tests/abi/zoo/misfortune.h"
__attribute__((constructor)) static void Begin(void) { MISFORTUNE(); }
#include "tests/abi/zoo/base.h"
