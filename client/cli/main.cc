// gradeline, the command line.
#include <iostream>
#include <string>
#include <vector>

#include "client/cli/app.h"

int main(int argc, char** argv) {
  return gradeline::cli::RunApp(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
}
