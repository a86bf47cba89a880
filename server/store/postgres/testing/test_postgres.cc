#include "server/store/postgres/testing/test_postgres.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

namespace fs = std::filesystem;

// The folder of the newest PostgreSQL that Debian's packages have installed.
std::string FindPrograms() {
  std::string newest;
  int version = 0;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql")) {
    const int number = atoi(entry.path().filename().c_str());
    if (number > version && fs::exists(entry.path() / "bin/postgres")) {
      version = number;
      newest = entry.path() / "bin";
    }
  }
  return newest;
}

// A disk in memory, where there is one with room: flushing costs nothing, and a process that is killed loses nothing
// either.
const char* Disk() {
  struct statvfs shm {};
  const bool there = access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &shm) == 0;
  return there && shm.f_bavail * shm.f_frsize > uint64_t{1} << 30 ? "/dev/shm" : "/tmp";
}

const passwd* OtherUser() { return geteuid() == 0 ? getpwnam("nobody") : nullptr; }

}  // namespace

TestPostgres::TestPostgres() : folder_(Disk()), programs_(FindPrograms()) {
  if (const passwd* user = OtherUser()) {
    if (chown(folder_.File("").c_str(), user->pw_uid, user->pw_gid) != 0) abort();
  }
  Run({"initdb", "--no-sync", "--auth=trust", "--username=gradeline", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata",
       folder_.File("data")});
  Start();
}

TestPostgres::~TestPostgres() { Crash(); }

pid_t TestPostgres::Spawn(const std::vector<std::string>& words) {
  std::vector<std::string> all = words;
  all[0] = absl::StrCat(programs_, "/", words[0]);
  std::vector<char*> arguments;
  for (std::string& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string log = folder_.File("log"), folder = folder_.File("");
  const passwd* user = OtherUser();
  const pid_t child = fork();
  if (child != 0) return child;
  if (user != nullptr && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) _exit(126);
  prctl(PR_SET_PDEATHSIG, SIGQUIT);  // it ends with the test, however that ends
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  if (chdir(folder.c_str()) != 0) _exit(126);
  execv(arguments[0], arguments.data());
  _exit(127);
}

void TestPostgres::Run(const std::vector<std::string>& words) {
  int status = 0;
  waitpid(Spawn(words), &status, 0);
  EXPECT_EQ(status, 0) << words[0] << " of \"" << programs_ << "\", log in " << folder_.File("log");
}

void TestPostgres::Start(const std::vector<std::string>& settings) {
  std::vector<std::string> words{"postgres",       "-D", folder_.File("data"), "-k",
                                 folder_.File(""), "-c", "listen_addresses="};
  for (const std::string& setting : settings) words.insert(words.end(), {"-c", setting});
  server_ = Spawn(words);
  const std::string ping = Conninfo("");
  for (const absl::Time end = absl::Now() + absl::Seconds(60); absl::Now() < end;) {
    if (PQping(ping.c_str()) == PQPING_OK) return;
    if (waitpid(server_, nullptr, WNOHANG) == server_) break;
    absl::SleepFor(absl::Milliseconds(10));
  }
  ADD_FAILURE() << "PostgreSQL does not start, log in " << folder_.File("log");
}

void TestPostgres::Crash() {
  if (server_ > 0 && kill(server_, SIGQUIT) == 0) waitpid(server_, nullptr, 0);
  server_ = -1;
}

std::string TestPostgres::Conninfo(const std::string& schema) {
  std::string conninfo = absl::StrCat("host=", folder_.File(""), " user=gradeline dbname=postgres");
  if (schema.empty()) return conninfo;
  Ask(absl::StrCat("CREATE SCHEMA IF NOT EXISTS \"", schema, "\""));
  return absl::StrCat(conninfo, " options=-csearch_path=", schema);
}

std::string TestPostgres::Ask(const std::string& sql) {
  const std::unique_ptr<PGconn, void (*)(PGconn*)> connection(PQconnectdb(Conninfo("").c_str()), PQfinish);
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(connection.get(), sql.c_str()), PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  EXPECT_TRUE(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
      << sql << ": " << PQerrorMessage(connection.get());
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

TestPostgres& SharedPostgres() {
  static TestPostgres postgres;
  return postgres;
}

}  // namespace gradeline
