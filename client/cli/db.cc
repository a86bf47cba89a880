// db backup, check, restore: the care of the server's database.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/backup_file.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"

namespace gradeline::cli {
namespace {

struct DbArguments {
  std::string to, from, store;
  bool force = false;
};

absl::Status Backup(Context& context, const DbArguments& arguments) {
  auto file = BackupFile::Create(arguments.to, arguments.force);
  if (!file.ok()) return file.status();
  auto connection = context.Connect();
  if (!connection.ok()) return connection.status();
  grpc::ClientContext call;
  if (context.timeout > absl::ZeroDuration()) call.set_deadline(context.Deadline());
  const auto reader = (*connection)->admin().BackupDatabase(&call, v1::BackupDatabaseRequest());
  v1::BackupDatabaseResponse message;
  v1::BackupEnd end;
  while (reader->Read(&message)) {
    if (message.has_end()) end = message.end();
    if (absl::Status status = (*file)->Append(message.chunk()); !status.ok()) {
      call.TryCancel();
      reader->Finish();
      return status;
    }
  }
  absl::Status status = context.Explained(client::StatusFromGrpc(reader->Finish()));
  if (status.ok()) status = (*file)->Keep(end.size(), end.sha256());
  if (!status.ok()) return status;
  if (context.form == OutputForm::kTable) {
    context.err << "backed up " << end.size() << " bytes to " << arguments.to << '\n';
  } else {
    PrintOne(end, {{}, [&](const google::protobuf::Message&) { return arguments.to; }}, context.form, false,
             context.out);
  }
  return absl::OkStatus();
}

Look FlawLook() {
  return {
      {MakeColumn<v1::Flaw>("EXPERIMENT", [](const v1::Flaw& flaw) { return std::string(IdOf(flaw.experiment())); }),
       MakeColumn<v1::Flaw>(
           "ATTEMPT", [](const v1::Flaw& flaw) { return flaw.attempt() > 0 ? absl::StrCat(flaw.attempt()) : ""; }),
       MakeColumn<v1::Flaw>("FLAW", [](const v1::Flaw& flaw) { return flaw.what(); })},
      [](const google::protobuf::Message& flaw) {
        return std::string(IdOf(static_cast<const v1::Flaw&>(flaw).experiment()));
      }};
}

absl::Status Check(Context& context) {
  auto connection = context.Connect();
  if (!connection.ok()) return connection.status();
  grpc::ClientContext call;
  if (context.timeout > absl::ZeroDuration()) call.set_deadline(context.Deadline());
  v1::CheckDatabaseResponse response;
  absl::Status status = context.Explained(
      client::StatusFromGrpc((*connection)->admin().CheckDatabase(&call, v1::CheckDatabaseRequest(), &response)));
  if (!status.ok()) return status;
  PrintList(response, FlawLook(), context.form, context.out);
  const std::string looked_at =
      absl::StrCat("in ", response.experiments(), " experiments with ", response.records(), " records");
  if (response.flaw_count() > 0) return absl::DataLossError(absl::StrCat(response.flaw_count(), " flaws ", looked_at));
  if (context.form == OutputForm::kTable) context.err << "no flaw " << looked_at << '\n';
  return absl::OkStatus();
}

// Becomes the server's program, which alone knows the database: its words and its exit code are the answer.
absl::Status Restore(const DbArguments& arguments) {
  std::error_code error;
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (here.parent_path() / "gradelined").string();
  std::string from = absl::StrCat("--restore=", arguments.from), store = absl::StrCat("store.path=", arguments.store);
  std::string name = "gradelined", set = "--set", force = "--force";
  char* words[] = {name.data(), from.data(), set.data(), store.data(), arguments.force ? force.data() : nullptr,
                   nullptr};
  execv(program.c_str(), words);
  return absl::NotFoundError(
      absl::StrCat(program, " cannot be run: ", std::strerror(errno), "; it belongs beside this program"));
}

void AddRestore(CLI::App& db, Context& context, const std::shared_ptr<DbArguments>& arguments) {
  CLI::App* restore = db.add_subcommand("restore", "Make a database file from a backup, while no server uses it");
  restore->add_option("--from", arguments->from, "the backup")->required();
  restore->add_option("--store", arguments->store, "the database file to make, store.path of the server")->required();
  restore->add_flag("--force", arguments->force, "replace the database that is there");
  restore->footer(
      "Works on files of this machine, not through a server: runs gradelined --restore, which it finds beside this\n"
      "program. Exit code 5: a server uses the database, it exists, or the backup is of a newer schema; 6: the backup\n"
      "is damaged.\n"
      "Example: gradeline db restore --from gradeline.backup --store var/gradeline.db");
  restore->callback([&context, arguments] { context.action = [arguments] { return Restore(*arguments); }; });
}

}  // namespace

void AddDb(CLI::App& app, Context& context) {
  CLI::App* db = app.add_subcommand("db", "Back up, check and restore the server's database");
  db->require_subcommand(1);
  const auto arguments = std::make_shared<DbArguments>();
  CLI::App* backup = db->add_subcommand("backup", "Copy the whole database to a file, while the server goes on");
  backup->add_option("--to", arguments->to, "the file; it holds the tokens of attempts, and is its owner's alone")
      ->required();
  backup->add_flag("--force", arguments->force, "replace the file that is there");
  backup->footer(
      "The file appears only when it is whole. The server needs as much room again beside its database meanwhile.\n"
      "Not over PostgreSQL, which has pg_dump.\n"
      "Example: gradeline db backup --to gradeline.backup");
  backup->callback(
      [&context, arguments] { context.action = [&context, arguments] { return Backup(context, *arguments); }; });
  CLI::App* check = db->add_subcommand("check", "Check the database: the file, and what must be true of the ledger");
  check->footer(
      "Prints a line for each flaw. Exit code 0 if there is none, 1 otherwise. Of SQLite it checks a copy, which "
      "needs\n"
      "as much room again on the server's disk; of PostgreSQL what is there at one moment.\n"
      "Example: gradeline db check");
  check->callback([&context] { context.action = [&context] { return Check(context); }; });
  AddRestore(*db, context, arguments);
}

}  // namespace gradeline::cli
