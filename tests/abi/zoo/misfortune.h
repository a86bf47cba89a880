/* What befalls a plugin of the zoo: MISFORTUNE is one of the four. Returns never. */
#ifndef GRADELINE_TESTS_ABI_ZOO_MISFORTUNE_H_
#define GRADELINE_TESTS_ABI_ZOO_MISFORTUNE_H_

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((unused)) static void Crash(void) {
  signal(SIGSEGV, SIG_DFL);
  kill(getpid(), SIGSEGV);
}
__attribute__((unused)) static void Abort(void) { abort(); }
__attribute__((unused)) static void Exit(void) { exit(0); }
__attribute__((unused)) static void Hang(void) {
  for (;;) pause();
}

#endif /* GRADELINE_TESTS_ABI_ZOO_MISFORTUNE_H_ */
