// The server's log: one line per event on standard error, as text or JSON. Events are fixed words, everything variable
// is a field, so that lines can be searched. Deliberately no levels per module, no files, no rotation.
#ifndef GRADELINE_SERVER_OBSERVE_LOG_H_
#define GRADELINE_SERVER_OBSERVE_LOG_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace gradeline {

enum class LogForm { kText, kJson };
enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Once, before the first line. Lines below `least` are dropped.
void StartLog(LogForm form, LogLevel least);

using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

/// Thread-safe. `event` is a few lower-case words: "listening", "call failed".
void Log(LogLevel level, std::string_view event, LogFields fields = {});

/// The line without time and level, as Log writes it.
std::string LogLine(LogForm form, std::string_view event, LogFields fields);

}  // namespace gradeline

#endif  // GRADELINE_SERVER_OBSERVE_LOG_H_
