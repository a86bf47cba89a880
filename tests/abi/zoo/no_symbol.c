/* A library that is no plugin. */
__attribute__((visibility("default"))) int an_exported_function(void);
int an_exported_function(void) { return 42; }
