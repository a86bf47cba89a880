// Whether parts of a batch give the value of the whole, as the loss's merge rule promises. Included by conformance.h.
#ifndef GRADELINE_PLUGINS_SDK_CONFORMANCE_MERGE_H_
#define GRADELINE_PLUGINS_SDK_CONFORMANCE_MERGE_H_

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "plugins/sdk/conformance.h"

namespace gradeline::conformance {

/// Some outers of a batch, in that order.
inline Batch PickOuters(const Batch& whole, const std::vector<int64_t>& outers) {
  Batch part = whole;
  part.outer = static_cast<int64_t>(outers.size());
  for (size_t t = 0; t < whole.tensors.size(); ++t) {
    const TensorData& from = whole.tensors[t];
    TensorData& to = part.tensors[t];
    if (!from.present || from.whole) continue;
    to.real.clear();
    to.labels.clear();
    const int64_t run = from.small * whole.inner;
    for (int64_t o : outers) {
      if (from.label) {
        to.labels.insert(to.labels.end(), from.labels.begin() + o * run, from.labels.begin() + (o + 1) * run);
      } else {
        to.real.insert(to.real.end(), from.real.begin() + o * run, from.real.begin() + (o + 1) * run);
      }
    }
  }
  return part;
}

/// A random share of the N axis for each of up to four parts (some perhaps empty), as numbers of outers.
inline std::vector<std::vector<int64_t>> RandomParts(const Batch& batch, const Case& c, std::mt19937& random) {
  const auto n = c.axes.find("N");
  const int64_t run = n == c.axes.end() || n->second == 0 ? 1 : std::max<int64_t>(1, batch.outer / n->second);
  std::vector<std::vector<int64_t>> parts(2 + random() % 3);
  for (int64_t first = 0; first < batch.outer; first += run) {
    std::vector<int64_t>& part = parts[random() % parts.size()];
    for (int64_t o = first; o < std::min(batch.outer, first + run); ++o) part.push_back(o);
  }
  return parts;
}

/// Puts what a part stored for its outers where they lie in the whole.
inline void Scatter(const Batch& whole, const std::vector<int64_t>& outers, const RunResult& part, RunResult& into) {
  const auto copy = [&](const std::vector<double>& from, std::vector<double>& to) {
    const size_t run = whole.outer == 0 ? 0 : to.size() / static_cast<size_t>(whole.outer);
    for (size_t o = 0; o < outers.size() && !from.empty(); ++o) {
      std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(o * run), run,
                  to.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(outers[o]) * run));
    }
  };
  copy(part.item_loss, into.item_loss);
  for (size_t t = 0; t < into.gradient.size(); ++t) {
    if (!whole.tensors[t].whole) copy(part.gradient[t], into.gradient[t]);
  }
}

/// As `whole`, with nothing in it yet.
inline RunResult Blank(RunResult whole) {
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  std::fill(whole.item_loss.begin(), whole.item_loss.end(), nothing);
  for (auto& gradient : whole.gradient) std::fill(gradient.begin(), gradient.end(), nothing);
  return whole;
}

/// Runs parts side by side: each pass's sums are added over the parts in order and folded everywhere with the shape of
/// the whole, as workers do that share a batch.
inline RunResult RunParts(const Setup& setup, const std::vector<Batch>& parts,
                          const std::vector<std::vector<int64_t>>& outers, const RunOptions& options,
                          const RunResult& whole, Problems& problems) {
  std::vector<std::unique_ptr<Run<double>>> runs;
  for (const Batch& part : parts) {
    runs.push_back(std::make_unique<Run<double>>(setup.loss, setup.state, part, options));
    if (!runs.back()->MakePlan()) {
      problems.push_back("plan refuses a part");
      return {};
    }
  }
  GdlShape shape = runs[0]->shape();
  shape.outer = setup.batch.outer;
  for (uint32_t p = 0; p < runs[0]->plan().pass_count; ++p) {
    std::vector<double> sums;
    for (const auto& run : runs) {
      if (run->Skips(p)) continue;
      const std::vector<double> mine = run->SumPass(p);
      sums.resize(std::max(sums.size(), mine.size()));
      if (sums.size() != mine.size()) problems.push_back("the number of sums depends on the batch size");
      for (size_t i = 0; i < mine.size(); ++i) sums[i] += mine[i];
    }
    for (const auto& run : runs) {
      if (!run->Skips(p)) run->Fold(p, sums, shape);
    }
  }
  RunResult merged = Blank(whole);
  for (size_t r = 0; r < runs.size(); ++r) {
    const RunResult result = runs[r]->Finish();
    problems.insert(problems.end(), result.broken.begin(), result.broken.end());
    if (r > 0 && (result.numerator != merged.numerator || result.denominator != merged.denominator)) {
      problems.push_back("parts fold the same sums to different numbers");
    }
    merged.numerator = result.numerator;
    merged.denominator = result.denominator;
    Scatter(setup.batch, outers[r], result, merged);
  }
  return merged;
}

/// GDL_MERGE_RATIO: numerators and denominators of parts add up to those of the whole, in any order. GDL_MERGE_SUMS:
/// sums of parts, added pass by pass and folded, give the whole. Gradients and item losses under one scale are those of
/// the whole. GDL_MERGE_NONE promises nothing.
inline void CheckMerge(const Setup& setup, const Case& c, Problems& problems) {
  if (setup.loss.merge == GDL_MERGE_NONE) return;
  std::mt19937 random(17);
  RunOptions options;
  options.tile_items = 6;
  for (size_t k = 0; setup.loss.components[k] != nullptr; ++k) options.scale.push_back(0.5 + static_cast<double>(k));
  const RunResult whole = setup(options, problems);
  for (int round = 0; round < 6; ++round) {
    std::vector<std::vector<int64_t>> outers = RandomParts(setup.batch, c, random);
    std::vector<Batch> parts;
    for (const auto& part : outers) parts.push_back(PickOuters(setup.batch, part));
    if (setup.loss.merge == GDL_MERGE_SUMS) {
      Compare(whole, RunParts(setup, parts, outers, options, whole, problems), 1e-12, problems);
      continue;
    }
    RunResult merged = Blank(whole);
    std::vector<RunResult> results;
    for (size_t p = 0; p < parts.size(); ++p) {
      results.push_back(setup.On(parts[p], options, problems));
      Scatter(setup.batch, outers[p], results.back(), merged);
    }
    for (const bool backwards : {false, true}) {
      if (backwards) std::reverse(results.begin(), results.end());
      std::fill(merged.numerator.begin(), merged.numerator.end(), 0);
      std::fill(merged.denominator.begin(), merged.denominator.end(), 0);
      for (const RunResult& result : results) {
        for (size_t k = 0; k < merged.numerator.size(); ++k) {
          merged.numerator[k] += result.numerator[k];
          merged.denominator[k] += result.denominator[k];
        }
      }
      Compare(whole, merged, 1e-12, problems);
    }
  }
}

}  // namespace gradeline::conformance

#endif  // GRADELINE_PLUGINS_SDK_CONFORMANCE_MERGE_H_
