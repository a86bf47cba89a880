// The probe as a program of its own, for the tests: the server is its own probe.
#include <iostream>

#include "server/plugin_host/probe.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: plugin_probe FILE\n";
    return 2;
  }
  return gradeline::ProbePluginMain(argv[1]);
}
