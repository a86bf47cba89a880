#include "server/observe/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <memory>

namespace gradeline {
namespace {

std::atomic<LogForm> log_form{LogForm::kText};

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

void AppendEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out->append(escaped);
    } else {
      out->push_back(c);
    }
  }
}

void AppendQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  AppendEscaped(text, out);
  out->push_back('"');
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '\\' || c == '=' || c == 0x7F) return true;
  }
  return false;
}

}  // namespace

void StartLog(LogForm form, LogLevel least) {
  log_form = form;
  auto logger = std::make_shared<spdlog::logger>("gradelined", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern(form == LogForm::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                             : "%Y-%m-%dT%H:%M:%S.%e %l %v");
  logger->set_level(LevelOf(least));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

std::string LogLine(LogForm form, std::string_view event, LogFields fields) {
  std::string line;
  if (form == LogForm::kJson) {
    line.append("\"event\":");
    AppendQuoted(event, &line);
    for (const auto& [key, value] : fields) {
      line.push_back(',');
      AppendQuoted(key, &line);
      line.push_back(':');
      AppendQuoted(value, &line);
    }
    return line;
  }
  AppendEscaped(event, &line);
  for (const auto& [key, value] : fields) {
    line.append(" ").append(key).append("=");
    if (NeedsQuotes(value)) {
      AppendQuoted(value, &line);
    } else {
      line.append(value);
    }
  }
  return line;
}

void Log(LogLevel level, std::string_view event, LogFields fields) {
  spdlog::logger* logger = spdlog::default_logger_raw();
  if (!logger->should_log(LevelOf(level))) return;
  logger->log(LevelOf(level), spdlog::string_view_t(LogLine(log_form, event, fields)));
}

}  // namespace gradeline
