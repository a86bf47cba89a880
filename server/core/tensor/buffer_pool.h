// Pooled, 64-byte-aligned buffers for replies and scratch: fresh pages cost five times the kernels that fill them.
// Deliberately no budget: admission is the engine's.
#ifndef GRADELINE_SERVER_CORE_TENSOR_BUFFER_POOL_H_
#define GRADELINE_SERVER_CORE_TENSOR_BUFFER_POOL_H_

#include <cstddef>
#include <memory>

namespace gradeline {

/// Move-only owner of pooled memory; gives it back on destruction, from any thread. Contents are not zeroed.
class PooledBuffer {
 public:
  PooledBuffer() = default;
  PooledBuffer(PooledBuffer&& other) noexcept;
  PooledBuffer& operator=(PooledBuffer&& other) noexcept;
  ~PooledBuffer();
  std::byte* data() const { return data_; }
  size_t size() const { return size_; }  ///< as asked for

 private:
  friend class BufferPool;
  struct Shelf;
  std::shared_ptr<Shelf> shelf_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

/// Keeps freed buffers by power-of-two size class, up to `keep_bytes` in all. Thread-safe. Buffers may outlive the
/// pool.
class BufferPool {
 public:
  explicit BufferPool(size_t keep_bytes);
  /// `bytes` must be below 2^62; std::bad_alloc as operator new. Reused buffers come back last in, first out (warm
  /// pages).
  PooledBuffer Take(size_t bytes);
  /// Bytes that are kept unused right now.
  size_t kept_bytes() const;

 private:
  std::shared_ptr<PooledBuffer::Shelf> shelf_;
};

}  // namespace gradeline

#endif  // GRADELINE_SERVER_CORE_TENSOR_BUFFER_POOL_H_
