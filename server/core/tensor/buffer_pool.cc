#include "server/core/tensor/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace gradeline {
namespace {

constexpr size_t kLeastBytes = 64;
constexpr size_t kHugePageBytes = size_t{2} << 20;

std::align_val_t AlignmentOf(size_t capacity) {
  return std::align_val_t{capacity >= kHugePageBytes ? kHugePageBytes : kLeastBytes};
}

std::byte* Allocate(size_t capacity) {
  auto* data = static_cast<std::byte*>(::operator new(capacity, AlignmentOf(capacity)));
  // One fault fills 2 MiB instead of 4 KiB. Only advice: where it is refused, small pages do.
  if (capacity >= kHugePageBytes) (void)madvise(data, capacity, MADV_HUGEPAGE);
  return data;
}

void Free(std::byte* data, size_t capacity) { ::operator delete(data, AlignmentOf(capacity)); }

}  // namespace

struct PooledBuffer::Shelf {
  explicit Shelf(size_t most) : keep_bytes(most) {}
  ~Shelf() {
    for (size_t i = 0; i < free.size(); ++i) {
      for (std::byte* data : free[i]) Free(data, size_t{1} << i);
    }
  }
  const size_t keep_bytes;
  // Not absl::Mutex: Debian's Abseil is built without ThreadSanitizer, which would then report races that are none.
  std::mutex mutex;
  size_t kept_bytes = 0;                         // guarded by mutex
  std::array<std::vector<std::byte*>, 64> free;  // guarded by mutex; by log2 of the capacity
};

PooledBuffer::PooledBuffer(PooledBuffer&& other) noexcept
    : shelf_(std::move(other.shelf_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

PooledBuffer& PooledBuffer::operator=(PooledBuffer&& other) noexcept {
  if (this != &other) {
    PooledBuffer old(std::move(*this));
    shelf_ = std::move(other.shelf_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

PooledBuffer::~PooledBuffer() {
  if (data_ == nullptr) return;
  {
    const std::lock_guard lock(shelf_->mutex);
    if (capacity_ <= shelf_->keep_bytes - shelf_->kept_bytes) {
      shelf_->free[static_cast<size_t>(std::countr_zero(capacity_))].push_back(data_);
      shelf_->kept_bytes += capacity_;
      return;
    }
  }
  Free(data_, capacity_);
}

BufferPool::BufferPool(size_t keep_bytes) : shelf_(std::make_shared<PooledBuffer::Shelf>(keep_bytes)) {}

PooledBuffer BufferPool::Take(size_t bytes) {
  PooledBuffer buffer;
  buffer.shelf_ = shelf_;
  buffer.size_ = bytes;
  buffer.capacity_ = std::bit_ceil(std::max(bytes, kLeastBytes));
  {
    const std::lock_guard lock(shelf_->mutex);
    std::vector<std::byte*>& free = shelf_->free[static_cast<size_t>(std::countr_zero(buffer.capacity_))];
    if (!free.empty()) {
      buffer.data_ = free.back();
      free.pop_back();
      shelf_->kept_bytes -= buffer.capacity_;
      return buffer;
    }
  }
  buffer.data_ = Allocate(buffer.capacity_);
  return buffer;
}

size_t BufferPool::kept_bytes() const {
  const std::lock_guard lock(shelf_->mutex);
  return shelf_->kept_bytes;
}

}  // namespace gradeline
