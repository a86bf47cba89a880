// The kernels of regions, compiled once for all losses.
#include "plugins/simd/region.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/simd/region.cc"
#include <hwy/foreach_target.h>

#include "plugins/simd/region_pair-inl.h"
#include "plugins/simd/region_sigmoid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gradeline {
namespace HWY_NAMESPACE {
namespace {

template <typename T>
using Tag = hn::ScalableTag<T>;

bool AddSoftmaxFloats(const simd::RegionPixels<float>& in, simd::Overlap* overlaps, simd::PixelEntropy* entropy) {
  if (entropy == nullptr) return AddRegions<false>(Tag<float>(), in, overlaps, entropy);
  return AddRegions<true>(Tag<float>(), in, overlaps, entropy);
}
bool AddSoftmaxDoubles(const simd::RegionPixels<double>& in, simd::Overlap* overlaps, simd::PixelEntropy* entropy) {
  if (entropy == nullptr) return AddRegions<false>(Tag<double>(), in, overlaps, entropy);
  return AddRegions<true>(Tag<double>(), in, overlaps, entropy);
}
bool AddSigmoidFloats(const simd::RegionPixels<float>& in, simd::Overlap* overlaps) {
  return AddSigmoids(Tag<float>(), in, overlaps);
}
bool AddSigmoidDoubles(const simd::RegionPixels<double>& in, simd::Overlap* overlaps) {
  return AddSigmoids(Tag<double>(), in, overlaps);
}
void StoreSoftmaxFloats(const simd::RegionPixels<float>& in, const simd::Slopes* slopes, double scale,
                        const simd::PixelEntropy* entropy) {
  if (entropy == nullptr) return StoreRegions<false>(Tag<float>(), in, slopes, scale, entropy);
  StoreRegions<true>(Tag<float>(), in, slopes, scale, entropy);
}
void StoreSoftmaxDoubles(const simd::RegionPixels<double>& in, const simd::Slopes* slopes, double scale,
                         const simd::PixelEntropy* entropy) {
  if (entropy == nullptr) return StoreRegions<false>(Tag<double>(), in, slopes, scale, entropy);
  StoreRegions<true>(Tag<double>(), in, slopes, scale, entropy);
}
void StoreSigmoidFloats(const simd::RegionPixels<float>& in, const simd::Slopes* slopes, double scale) {
  StoreSigmoids(Tag<float>(), in, slopes, scale);
}
void StoreSigmoidDoubles(const simd::RegionPixels<double>& in, const simd::Slopes* slopes, double scale) {
  StoreSigmoids(Tag<double>(), in, slopes, scale);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace gradeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gradeline {
namespace {

HWY_EXPORT(AddSoftmaxFloats);
HWY_EXPORT(AddSoftmaxDoubles);
HWY_EXPORT(AddSigmoidFloats);
HWY_EXPORT(AddSigmoidDoubles);
HWY_EXPORT(StoreSoftmaxFloats);
HWY_EXPORT(StoreSoftmaxDoubles);
HWY_EXPORT(StoreSigmoidFloats);
HWY_EXPORT(StoreSigmoidDoubles);

}  // namespace

namespace simd {

bool AddSoftmaxRegions(const RegionPixels<float>& pixels, Overlap* overlaps, PixelEntropy* entropy) {
  return HWY_DYNAMIC_DISPATCH(AddSoftmaxFloats)(pixels, overlaps, entropy);
}
bool AddSoftmaxRegions(const RegionPixels<double>& pixels, Overlap* overlaps, PixelEntropy* entropy) {
  return HWY_DYNAMIC_DISPATCH(AddSoftmaxDoubles)(pixels, overlaps, entropy);
}
bool AddSigmoidRegions(const RegionPixels<float>& pixels, Overlap* overlaps) {
  return HWY_DYNAMIC_DISPATCH(AddSigmoidFloats)(pixels, overlaps);
}
bool AddSigmoidRegions(const RegionPixels<double>& pixels, Overlap* overlaps) {
  return HWY_DYNAMIC_DISPATCH(AddSigmoidDoubles)(pixels, overlaps);
}
void SoftmaxRegionGradient(const RegionPixels<float>& pixels, const Slopes* slopes, double scale,
                           const PixelEntropy* entropy) {
  HWY_DYNAMIC_DISPATCH(StoreSoftmaxFloats)(pixels, slopes, scale, entropy);
}
void SoftmaxRegionGradient(const RegionPixels<double>& pixels, const Slopes* slopes, double scale,
                           const PixelEntropy* entropy) {
  HWY_DYNAMIC_DISPATCH(StoreSoftmaxDoubles)(pixels, slopes, scale, entropy);
}
void SigmoidRegionGradient(const RegionPixels<float>& pixels, const Slopes* slopes, double scale) {
  HWY_DYNAMIC_DISPATCH(StoreSigmoidFloats)(pixels, slopes, scale);
}
void SigmoidRegionGradient(const RegionPixels<double>& pixels, const Slopes* slopes, double scale) {
  HWY_DYNAMIC_DISPATCH(StoreSigmoidDoubles)(pixels, slopes, scale);
}

}  // namespace simd
}  // namespace gradeline
#endif  // HWY_ONCE
