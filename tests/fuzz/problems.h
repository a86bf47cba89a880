// What a reader of YAML says is wrong: always with the place.
#ifndef GRADELINE_TESTS_FUZZ_PROBLEMS_H_
#define GRADELINE_TESTS_FUZZ_PROBLEMS_H_

#include <string>

namespace gradeline {

/// Whether `field` begins with "FILE:LINE", of a line that `text` has (from 1), and then ends or goes on with ": ".
bool NamesPlace(const std::string& field, const std::string& file, const std::string& text);

}  // namespace gradeline

#endif  // GRADELINE_TESTS_FUZZ_PROBLEMS_H_
