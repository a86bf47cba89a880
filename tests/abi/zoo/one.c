/* A plugin of the zoo that needs no more than a macro. */
#include "tests/abi/zoo/base.h"
