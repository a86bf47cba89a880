#include "server/core/tensor/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

namespace gradeline {
namespace {

TEST(BufferPoolTest, AlignedWritableAndSizedAsAsked) {
  BufferPool pool(1 << 20);
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{64}, size_t{65}, size_t{100'000}, size_t{3} << 20}) {
    PooledBuffer buffer = pool.Take(bytes);
    EXPECT_EQ(buffer.size(), bytes);
    ASSERT_NE(buffer.data(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    std::memset(buffer.data(), 1, bytes);
  }
}

TEST(BufferPoolTest, ReusesASizeClass) {
  BufferPool pool(1 << 20);
  std::byte* first = pool.Take(1000).data();
  EXPECT_EQ(pool.kept_bytes(), 1024u);
  PooledBuffer again = pool.Take(600);
  EXPECT_EQ(again.data(), first);
  EXPECT_EQ(pool.kept_bytes(), 0u);
  PooledBuffer other = pool.Take(1024);
  EXPECT_NE(other.data(), first);
}

TEST(BufferPoolTest, KeepsNoMoreThanTold) {
  BufferPool pool(2048);
  { const PooledBuffer a = pool.Take(1024), b = pool.Take(1024), c = pool.Take(1024), large = pool.Take(1 << 16); }
  EXPECT_EQ(pool.kept_bytes(), 2048u);
}

TEST(BufferPoolTest, MovesGiveBackOnce) {
  BufferPool pool(1 << 20);
  PooledBuffer a = pool.Take(64);
  std::byte* data = a.data();
  PooledBuffer b = std::move(a);
  EXPECT_EQ(a.data(), nullptr);  // NOLINT(bugprone-use-after-move,clang-analyzer-cplusplus.Move): a moved-from buffer
                                 // is empty by contract
  EXPECT_EQ(b.data(), data);
  b = pool.Take(128);
  EXPECT_EQ(pool.kept_bytes(), 64u);
  b = PooledBuffer();
  EXPECT_EQ(pool.kept_bytes(), 64u + 128u);
  b = PooledBuffer();
  EXPECT_EQ(pool.kept_bytes(), 64u + 128u);
}

TEST(BufferPoolTest, BuffersOutliveThePool) {
  std::optional<BufferPool> pool(1 << 20);
  PooledBuffer buffer = pool->Take(100);
  pool.reset();
  std::memset(buffer.data(), 1, buffer.size());
}

TEST(BufferPoolTest, ManyThreads) {
  BufferPool pool(1 << 20);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int i = 0; i < 2000; ++i) {
        PooledBuffer buffer = pool.Take(static_cast<size_t>(1 + (i * 37) % 5000));
        std::memset(buffer.data(), t, buffer.size());
        for (size_t k = 0; k < buffer.size(); k += 97) ASSERT_EQ(buffer.data()[k], static_cast<std::byte>(t));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(pool.kept_bytes(), size_t{1} << 20);
}

}  // namespace
}  // namespace gradeline
