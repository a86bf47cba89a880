#include "server/rpc/listen_check.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace gradeline {
namespace {

TEST(ListenCheck, ALivingSocketIsInUseAndADeadOneIsNot) {
  const std::string path = testing::TempDir() + "/listen_check.sock";
  unlink(path.c_str());
  EXPECT_TRUE(CheckUnixSocketFree("unix:" + path).ok());
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(server, 1), 0);
  const absl::Status status = CheckUnixSocketFree("unix:" + path);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "cannot listen on unix:" + path + " (grpc.listen): the address is in use");
  close(server);
  EXPECT_TRUE(CheckUnixSocketFree("unix:" + path).ok());
  unlink(path.c_str());
}

TEST(ListenCheck, FilesAndLongPathsAreNamed) {
  const std::string path = testing::TempDir() + "/listen_check.txt";
  std::ofstream(path) << "x";
  EXPECT_FALSE(CheckUnixSocketFree("unix:" + path).ok());
  EXPECT_FALSE(CheckUnixSocketFree("unix:/" + std::string(200, 'x')).ok());
  EXPECT_TRUE(CheckUnixSocketFree("127.0.0.1:0").ok());
  unlink(path.c_str());
}

}  // namespace
}  // namespace gradeline
