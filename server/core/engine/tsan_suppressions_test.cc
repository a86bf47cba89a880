// Built with a thread sanitizer: oneTBB itself is not instrumented, so the hand-over of a task inside it looks like a
// race. Only frames of oneTBB are suppressed; a race whose innermost frame is the project's is reported.
#if defined(__SANITIZE_THREAD__)
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions() {
  return "race_top:oneapi/tbb\n";
}
#endif
