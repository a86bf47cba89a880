// A small disk that is full at one level after another: what fits is kept, what does not is refused, and as soon as
// there is room the same clients go on with the same server. GRADELINE_LEVELS chooses how many.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/core/base/status.h"
#include "tests/campaign.h"
#include "tests/crash/history.h"

namespace gradeline {
namespace {

/// A file system of 8 MiB in memory that this process alone sees.
class SmallDisk {
 public:
  SmallDisk() = default;
  ~SmallDisk() {
    if (mounted_) umount2(folder_.File("").c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;

  absl::Status Mount() {
    if (unshare(CLONE_NEWNS) != 0) return absl::ErrnoToStatus(errno, "no mounts of its own");
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return absl::ErrnoToStatus(errno, "mount /");
    mounted_ = mount("tmpfs", folder_.File("").c_str(), "tmpfs", 0, "size=8m") == 0;
    return mounted_ ? absl::OkStatus() : absl::ErrnoToStatus(errno, "mount a tmpfs");
  }
  std::string File(const std::string& name) const { return folder_.File(name); }
  int64_t FreeBytes() const {
    struct statvfs info {};
    EXPECT_EQ(statvfs(folder_.File("").c_str(), &info), 0);
    return static_cast<int64_t>(info.f_bavail * info.f_bsize);
  }
  /// Somebody else's file takes all but so many bytes.
  void FillUp(int64_t free_bytes) {
    const int fd = open(File("filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string page(4096, 'x');
    off_t size = 0;
    for (ssize_t written = 0; (written = write(fd, page.data(), page.size())) > 0;) size += written;
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(ftruncate(fd, std::max<off_t>(size - free_bytes, 0)), 0);
    close(fd);
  }
  void MakeRoom() { unlink(File("filler").c_str()); }

 private:
  TestFolder folder_;
  bool mounted_ = false;
};

class AFullDisk : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const absl::Status mounted = disk_.Mount();
    if (!mounted.ok()) GTEST_SKIP() << "a small file system cannot be mounted here: " << mounted;
  }

  /// What the whole run takes.
  int64_t Need() {
    const int64_t before = disk_.FreeBytes();
    auto server = Server::Open(disk_.File("g.db"));
    const absl::Status status = Tell(**server);
    EXPECT_TRUE(status.ok()) << status;
    const int64_t need = before - disk_.FreeBytes();
    server->reset();
    Clear();
    return need;
  }
  void Clear() {
    for (const char* suffix : {"", "-wal", "-shm", "-journal", ".lock"}) {
      unlink((disk_.File("g.db") + suffix).c_str());
    }
    promises_ = {};
  }
  absl::Status Tell(Server& server) {
    return history_.Tell(server, kEpochs - 1, [this](const Promise& promise) {
      const absl::MutexLock lock(&mutex_);
      promises_.Add(promise);
    });
  }

  /// Fills the disk to a level, before the server starts or after. False: all fitted.
  bool RunAt(int64_t free_bytes, bool before_start);
  void ExpectFull(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_EQ(ReasonOf(status).reason, "DISK_FULL") << status;
  }
  /// Whether it is ready by itself within the time that operators were promised.
  static bool Recovers(Store& store) {
    const absl::Time end = absl::Now() + absl::Seconds(5);
    while (!store.Check().ok()) {
      if (absl::Now() > end) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }

  SmallDisk disk_;
  const History history_{static_cast<uint64_t>(FromEnvironment("GRADELINE_SEED", 1)), false};
  absl::Mutex mutex_;
  Promises promises_;
};

bool AFullDisk::RunAt(int64_t free_bytes, bool before_start) {
  if (before_start) disk_.FillUp(free_bytes);
  auto server = Server::Open(disk_.File("g.db"));
  if (!server.ok()) {
    EXPECT_TRUE(before_start) << server.status();
    EXPECT_EQ(server.status().code(), absl::StatusCode::kResourceExhausted) << server.status();
    disk_.MakeRoom();
    server = Server::Open(disk_.File("g.db"));
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return true;
  }
  if (!before_start) disk_.FillUp(free_bytes);
  const absl::Status refused = Tell(**server);
  if (!refused.ok()) {
    for (absl::Status status = refused; const int i : {1, 2, 3}) {
      if (!status.ok()) ExpectFull(status);
      const absl::Status kept = history_.Check(**server, promises_);
      // A server that starts on a full disk has no room for the log's index, without which nothing can be read.
      const bool blind = before_start && absl::IsResourceExhausted(kept);
      EXPECT_TRUE(kept.ok() || blind) << "while the disk is full: " << kept;
      // The clients come again. A checkpoint may have made room in the log meanwhile.
      if (i < 3) status = Tell(**server);
    }
    disk_.MakeRoom();
    EXPECT_TRUE(Recovers(*(*server)->store));
    const absl::Status finished = Tell(**server);
    EXPECT_TRUE(finished.ok()) << finished;
  }
  disk_.MakeRoom();
  const absl::Status kept = history_.Check(**server, promises_);
  EXPECT_TRUE(kept.ok()) << kept;
  const absl::Status ended = history_.CheckEnd(**server);
  EXPECT_TRUE(ended.ok()) << ended;
  return !refused.ok();
}

TEST_P(AFullDisk, KeepsWhatFitsAndGoesOnWhenThereIsRoom) {
  const int64_t levels = FromEnvironment("GRADELINE_LEVELS", 12), need = Need();
  int64_t refused = 0;
  for (int64_t level = 0; level < levels && !HasFailure(); ++level) {
    SCOPED_TRACE(absl::StrCat("level ", level, " of ", levels));
    refused += RunAt(need * level / levels, GetParam()) ? 1 : 0;
    Clear();
  }
  EXPECT_GT(refused, levels / 2);
  std::cout << levels << " levels of " << need << " bytes, " << refused << " too low" << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Filled, AFullDisk, testing::Bool(),
                         [](const auto& filled) { return filled.param ? "BeforeTheStart" : "WhileItRuns"; });

}  // namespace
}  // namespace gradeline
