#include "tests/crash/crash_disk.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

namespace gradeline {
namespace {

/// How likely, in percent, a change is kept or torn; otherwise it is dropped.
struct Odds {
  uint64_t kept = 0, torn = 0;
  size_t block = 512;
};

// Each state has odds of its own, so that states where nearly all or nearly nothing is left come too.
Odds RandomOdds(std::mt19937_64& random) {
  Odds odds;
  odds.kept = random() % 5 * 25;
  odds.torn = (100 - odds.kept) * (random() % 3) / 2;
  odds.block = random() % 2 == 0 ? 512 : 4096;
  return odds;
}

void Put(std::string& image, size_t at, std::string_view bytes) {
  if (image.size() < at + bytes.size()) image.resize(at + bytes.size());
  std::copy(bytes.begin(), bytes.end(), image.begin() + static_cast<std::ptrdiff_t>(at));
}

// Blocks lie at multiples of their size in the file, not in what is written.
void PutTorn(std::string& image, size_t at, std::string_view bytes, size_t block, std::mt19937_64& random) {
  while (!bytes.empty()) {
    const size_t size = std::min(bytes.size(), block - at % block);
    if (random() % 2 == 0) Put(image, at, bytes.substr(0, size));
    at += size;
    bytes.remove_prefix(size);
  }
}

}  // namespace

CrashDisk::CrashDisk(const std::string& folder)
    : folder_(std::filesystem::canonical(folder)), real_(sqlite3_vfs_find(nullptr)) {
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const absl::MutexLock lock(&mutex_);
    auto& inode = names_[entry.path().string()] = std::make_shared<Inode>();
    inode->durable.assign(std::istreambuf_iterator<char>(file), {});
  }
  const absl::MutexLock lock(&mutex_);
  durable_names_ = names_;
  vfs_ = *real_;
  vfs_.zName = "crash-disk";
  vfs_.szOsFile = real_->szOsFile + static_cast<int>(sizeof(Handle));
  vfs_.xOpen = &Open;
  vfs_.xDelete = &Delete;
  disk_ = this;
  sqlite3_vfs_register(&vfs_, 1);
}

CrashDisk::~CrashDisk() {
  sqlite3_vfs_unregister(&vfs_);
  disk_ = nullptr;
}

void CrashDisk::CutAt(int64_t operation) {
  const absl::MutexLock lock(&mutex_);
  cut_at_ = operation;
}

void CrashDisk::KillAt(int64_t operation, bool half) {
  const absl::MutexLock lock(&mutex_);
  kill_at_ = operation;
  half_ = half;
}

int64_t CrashDisk::operations() const {
  const absl::MutexLock lock(&mutex_);
  return operations_;
}

bool CrashDisk::cut() const {
  const absl::MutexLock lock(&mutex_);
  return cut_;
}

void CrashDisk::Survive(std::mt19937_64& random, const std::string& folder) const {
  const absl::MutexLock lock(&mutex_);
  const Odds odds = RandomOdds(random);
  Names names = durable_names_;
  for (const NameChange& change : unsynced_names_) {
    if (random() % 100 >= odds.kept + odds.torn / 2) continue;
    if (change.inode == nullptr) {
      names.erase(change.name);
    } else {
      names[change.name] = change.inode;
    }
  }
  for (const auto& [name, inode] : names) {
    std::string image = inode->durable;
    for (const Change& change : inode->unsynced) {
      const uint64_t fate = random() % 100;
      if (fate >= odds.kept + odds.torn) continue;
      if (change.truncates) {
        image.resize(change.at);
      } else if (fate < odds.kept) {
        Put(image, change.at, change.bytes);
      } else {
        PutTorn(image, change.at, change.bytes, odds.block, random);
      }
    }
    const std::filesystem::path path = std::filesystem::path(folder) / std::filesystem::path(name).filename();
    std::ofstream(path, std::ios::binary) << image;
  }
}

CrashDisk::Handle& CrashDisk::HandleOf(sqlite3_file* file) {
  return *reinterpret_cast<Handle*>(reinterpret_cast<char*>(file) + disk_->real_->szOsFile);
}

// The real VFS has several tables of methods, by the kind of file.
const sqlite3_io_methods* CrashDisk::Over(const sqlite3_io_methods* real) {
  static absl::Mutex mutex(absl::kConstInit);
  static std::map<const sqlite3_io_methods*, sqlite3_io_methods>* const kTables =
      new std::map<const sqlite3_io_methods*, sqlite3_io_methods>;
  const absl::MutexLock lock(&mutex);
  const auto [found, fresh] = kTables->try_emplace(real, *real);
  if (fresh) {
    found->second.xClose = &Close;
    found->second.xRead = &Read;
    found->second.xWrite = &Write;
    found->second.xTruncate = &Truncate;
    found->second.xSync = &Sync;
  }
  return &found->second;
}

bool CrashDisk::Holds(const char* name) const {
  return name != nullptr && std::filesystem::path(name).parent_path() == folder_;
}

bool CrashDisk::Begin() {
  if (cut_) return false;
  ++operations_;
  Die(false);
  return true;
}

bool CrashDisk::End() {
  Die(true);
  if (operations_ < cut_at_) return true;
  cut_ = true;
  return false;
}

void CrashDisk::Die(bool half) {
  if (operations_ == kill_at_ && half == half_) kill(getpid(), SIGKILL);
}

void CrashDisk::SyncNames() {
  durable_names_ = names_;
  unsynced_names_.clear();
}

int CrashDisk::Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  file->pMethods = nullptr;
  constexpr int kKinds = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
  const bool holds = disk_->Holds(name) && (flags & kKinds) != 0;
  const absl::MutexLock lock(&disk_->mutex_);
  if (holds && disk_->cut_) return SQLITE_IOERR;
  // A file that the disk does not know was made just now, if not by SQLite then by the store itself.
  const bool fresh = holds && disk_->names_.count(name) == 0;
  if (fresh && !disk_->Begin()) return SQLITE_IOERR;
  const int code = disk_->real_->xOpen(disk_->real_, name, file, flags, out);
  if (code != SQLITE_OK || !holds) return code;
  std::shared_ptr<Inode>& inode = disk_->names_[name];
  if (fresh) {
    inode = std::make_shared<Inode>();
    disk_->unsynced_names_.push_back({name, inode});
  }
  const bool syncs_folder = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & SQLITE_OPEN_MAIN_DB) == 0;
  HandleOf(file) = {file->pMethods, new std::shared_ptr<Inode>(inode), syncs_folder};
  file->pMethods = Over(file->pMethods);
  // The file is open all the same: whatever is done with it next fails.
  if (fresh) disk_->End();
  return SQLITE_OK;
}

int CrashDisk::Delete(sqlite3_vfs*, const char* name, int syncs_folder) {
  if (!disk_->Holds(name)) return disk_->real_->xDelete(disk_->real_, name, syncs_folder);
  const absl::MutexLock lock(&disk_->mutex_);
  if (!disk_->Begin()) return SQLITE_IOERR_DELETE;
  const int code = disk_->real_->xDelete(disk_->real_, name, 0);
  if (code == SQLITE_OK) {
    disk_->names_.erase(name);
    disk_->unsynced_names_.push_back({name, nullptr});
  }
  if (!disk_->End()) return SQLITE_IOERR_DELETE;
  if (syncs_folder != 0) disk_->SyncNames();
  return code;
}

int CrashDisk::Close(sqlite3_file* file) {
  Handle& handle = HandleOf(file);
  delete std::exchange(handle.inode, nullptr);
  return handle.real->xClose(file);
}

int CrashDisk::Read(sqlite3_file* file, void* bytes, int count, sqlite3_int64 at) {
  if (disk_->cut()) return SQLITE_IOERR_READ;
  return HandleOf(file).real->xRead(file, bytes, count, at);
}

int CrashDisk::Write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 at) {
  const Handle& handle = HandleOf(file);
  const absl::MutexLock lock(&disk_->mutex_);
  if (!disk_->Begin()) return SQLITE_IOERR_WRITE;
  (*handle.inode)
      ->unsynced.push_back(
          {false, static_cast<size_t>(at), std::string(static_cast<const char*>(bytes), static_cast<size_t>(count))});
  if (disk_->operations_ == disk_->kill_at_) handle.real->xWrite(file, bytes, count / 2, at);
  if (!disk_->End()) return SQLITE_IOERR_WRITE;
  return handle.real->xWrite(file, bytes, count, at);
}

int CrashDisk::Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const Handle& handle = HandleOf(file);
  const absl::MutexLock lock(&disk_->mutex_);
  if (!disk_->Begin()) return SQLITE_IOERR_TRUNCATE;
  (*handle.inode)->unsynced.push_back({true, static_cast<size_t>(size), ""});
  if (!disk_->End()) return SQLITE_IOERR_TRUNCATE;
  return handle.real->xTruncate(file, size);
}

int CrashDisk::Sync(sqlite3_file* file, int) {
  Handle& handle = HandleOf(file);
  const absl::MutexLock lock(&disk_->mutex_);
  if (!disk_->Begin()) return SQLITE_IOERR_FSYNC;
  if (!disk_->End()) return SQLITE_IOERR_FSYNC;
  Inode& inode = **handle.inode;
  for (const Change& change : inode.unsynced) {
    if (change.truncates) {
      inode.durable.resize(change.at);
    } else {
      Put(inode.durable, change.at, change.bytes);
    }
  }
  inode.unsynced.clear();
  if (std::exchange(handle.syncs_folder, false)) disk_->SyncNames();
  return SQLITE_OK;
}

}  // namespace gradeline
