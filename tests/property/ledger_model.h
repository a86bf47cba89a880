// The model: what a ledger must hold, as a function of what each worker wanted to say and how much of it is committed.
// No streams, no order, no time, no store: every history must end here.
#ifndef GRADELINE_TESTS_PROPERTY_LEDGER_MODEL_H_
#define GRADELINE_TESTS_PROPERTY_LEDGER_MODEL_H_

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/experiment/store.h"

namespace gradeline {

/// One message with a seq. A worker's whole life is a list of them; the seq is the place in the list, from 1.
struct Message {
  enum Kind { kRecord, kDuplicate, kConflict, kLate, kEnd, kBye } kind = kRecord;
  Record record;       ///< all but kEnd and kBye
  PhaseOfEpoch phase;  ///< all but kBye
  int64_t count = 0;   ///< kEnd: the records of the phase
};
using Plan = std::vector<Message>;

/// What is said of a phase. Values are small whole numbers, so that sums are exact in every order.
struct PhaseModel {
  double numerator = 0, denominator = 0;
  int64_t batches = 0, items = 0;
  std::map<int32_t, int64_t> refused;
  std::map<int32_t, int64_t> records;  ///< by rank
  std::map<int32_t, int64_t> ended;    ///< by rank: how many records it declared

  /// Everybody ended; and everybody declared what is there, or the attempt ends here.
  bool Ended(size_t ranks) const { return ended.size() == ranks; }
  bool Right() const {
    return std::all_of(ended.begin(), ended.end(), [this](const auto& end) {
      const auto found = records.find(end.first);
      return end.second == (found == records.end() ? 0 : found->second);
    });
  }
};

class LedgerModel {
 public:
  explicit LedgerModel(std::vector<Plan> plans) : plans_(std::move(plans)) {}
  const Plan& plan(size_t rank) const { return plans_[rank]; }
  size_t ranks() const { return plans_.size(); }

  /// The phases that the first `committed[rank]` messages of each rank make up.
  std::map<PhaseOfEpoch, PhaseModel> Phases(const std::vector<int64_t>& committed) const {
    std::map<PhaseOfEpoch, PhaseModel> phases;
    for (size_t rank = 0; rank < plans_.size(); ++rank) {
      for (int64_t i = 0; i < committed[rank]; ++i) {
        const Message& message = plans_[rank][static_cast<size_t>(i)];
        if (message.kind == Message::kEnd) phases[message.phase].ended[static_cast<int32_t>(rank)] = message.count;
        if (message.kind != Message::kRecord) continue;
        PhaseModel& phase = phases[message.phase];
        ++phase.records[static_cast<int32_t>(rank)];
        if (message.record.code != 0) {
          ++phase.refused[message.record.code];
          continue;
        }
        phase.numerator += message.record.values[0].numerator;
        phase.denominator += message.record.values[0].denominator;
        phase.items += message.record.items;
        ++phase.batches;
      }
    }
    return phases;
  }

  /// Whether the attempt must be over: a rank declared a number of records that is not there, or has finished without a
  /// phase that another has ended.
  bool Lost(const std::vector<int64_t>& committed) const {
    const auto phases = Phases(committed);
    return std::any_of(phases.begin(), phases.end(), [&](const auto& entry) {
      const PhaseModel& phase = entry.second;
      return (phase.Ended(ranks()) && !phase.Right()) || (!phase.ended.empty() && LeftOut(phase, committed));
    });
  }
  /// Whether it may be: a rank has finished without a phase in which another has records. It is when the rank finished
  /// after them, and otherwise once the other ends the phase.
  bool MayBeLost(const std::vector<int64_t>& committed) const {
    const auto phases = Phases(committed);
    return std::any_of(phases.begin(), phases.end(),
                       [&](const auto& entry) { return LeftOut(entry.second, committed); });
  }

  /// Each seal in words: "1/0 complete ...". `closed`: the attempt is over, so that what is open is sealed too.
  std::set<std::string> Seals(const std::vector<int64_t>& committed, bool closed) const {
    std::set<std::string> seals;
    for (const auto& [key, phase] : Phases(committed)) {
      const bool complete = phase.Ended(ranks()) && phase.Right();
      if (!complete && !closed) continue;
      std::vector<int32_t> missing;
      for (int32_t rank = 0; rank < static_cast<int32_t>(plans_.size()); ++rank) {
        if (phase.ended.count(rank) == 0) missing.push_back(rank);
      }
      seals.insert(
          Words(key, complete, missing, phase.numerator, phase.denominator, phase.batches, phase.items, phase.refused));
    }
    return seals;
  }

  static std::string Words(PhaseOfEpoch key, bool complete, const std::vector<int32_t>& missing, double numerator,
                           double denominator, int64_t batches, int64_t items,
                           const std::map<int32_t, int64_t>& refused) {
    return absl::StrCat(static_cast<int>(key.phase), "/", key.epoch, complete ? " complete" : " partial", " without ",
                        absl::StrJoin(missing, ","), ": ", numerator, " / ", denominator, ", ", batches, " batches, ",
                        items, " items, refused ", absl::StrJoin(refused, ",", absl::PairFormatter("x")));
  }
  static std::string Words(const Seal& seal) {
    return Words({seal.phase, seal.epoch}, seal.complete, seal.missing_ranks, seal.components.at(0).numerator,
                 seal.components.at(0).denominator, seal.batches, seal.items, seal.refused);
  }

 private:
  // A rank has said everything, and has not ended the phase.
  bool LeftOut(const PhaseModel& phase, const std::vector<int64_t>& committed) const {
    for (size_t rank = 0; rank < plans_.size(); ++rank) {
      const bool done = committed[rank] == static_cast<int64_t>(plans_[rank].size());
      if (done && phase.ended.count(static_cast<int32_t>(rank)) == 0) return true;
    }
    return false;
  }

  std::vector<Plan> plans_;
};

/// The directives of early stopping on validation.loss, from their definition: all seals of an experiment in, the stale
/// epochs, the best epoch and the stop of one of them out.
inline std::string DirectiveWords(const std::vector<Seal>& seals, const Seal& of, int32_t patience, int64_t epochs) {
  // The complete seals that led to it: each is the one with the highest earlier epoch, of the newest attempt until
  // then.
  std::vector<const Seal*> chain{&of};
  while (true) {
    const Seal* before = nullptr;
    for (const Seal& seal : seals) {
      if (seal.phase != of.phase || !seal.complete || seal.attempt > of.attempt) continue;
      if (seal.revision >= chain.back()->revision || seal.epoch >= chain.back()->epoch) continue;
      if (before == nullptr || seal.epoch > before->epoch ||
          (seal.epoch == before->epoch && seal.attempt > before->attempt)) {
        before = &seal;
      }
    }
    if (before == nullptr) break;
    chain.push_back(before);
  }
  const Seal* best = nullptr;
  int64_t stale = 0;
  bool stop = false;
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
    const Seal* seal = *it;
    const bool has_value = seal->items > 0;
    if (it == chain.rbegin() || (*std::prev(it))->attempt != seal->attempt) {
      stale = 0;
      stop = false;
    }
    if (has_value && (best == nullptr || seal->loss < best->loss)) {
      best = seal;
      stale = 0;
    } else {
      ++stale;
    }
    stop |= stale >= patience && seal->epoch + 1 < epochs;
  }
  return absl::StrCat("best ", best == nullptr ? -1 : best->epoch, " stale ", stale, stop ? " stop" : "");
}
inline std::string Words(const Directive& directive) {
  return absl::StrCat("best ", directive.best_epoch.value_or(-1), " stale ", directive.stale_epochs,
                      directive.stop ? " stop" : "");
}

/// A worker's life in an attempt: train and validation of each epoch from `first` on, some batches refused, some
/// messages that must not count, and now and then an end that declares a record too many.
inline Plan RandomPlan(std::mt19937_64& random, int64_t first, int64_t epochs) {
  Plan plan;
  const auto add = [&plan](Message message) {
    message.record.seq = static_cast<int64_t>(plan.size()) + 1;
    plan.push_back(std::move(message));
  };
  // Now and then a rank leaves before the others.
  auto leaves = random() % 20 == 0 ? static_cast<int64_t>(random() % 4) : int64_t{1'000};
  for (int64_t epoch = first; epoch < epochs && leaves >= 0; ++epoch) {
    for (const Phase phase : {Phase::kTrain, Phase::kValidation}) {
      if (leaves-- == 0) break;
      Message end{Message::kEnd, {}, {phase, epoch}, 0};
      Message last{Message::kRecord, {}, end.phase, 0};
      last.record.key = {phase, epoch, 0, 0, 0};
      for (int64_t step = 0, steps = static_cast<int64_t>(random() % 7); step < steps; ++step) {
        Message message{Message::kRecord, {}, end.phase, 0};
        message.record.key = {phase, epoch, step, 0, 0};
        message.record.items = 1 + static_cast<int64_t>(random() % 9);
        for (uint8_t& byte : message.record.digest) byte = static_cast<uint8_t>(random());
        if (random() % 8 == 0) {
          message.record.code = 3;
          message.record.items = 0;
        } else {
          message.record.values.assign(2,
                                       {static_cast<double>(random() % 1000), static_cast<double>(1 + random() % 9)});
        }
        add(message);
        ++end.count;
        last = message;
        if (random() % 10 == 0) {
          Message again = last;
          again.kind = random() % 2 == 0 ? Message::kDuplicate : Message::kConflict;
          if (again.kind == Message::kConflict) again.record.digest[0] ^= 1;
          add(again);
        }
      }
      if (random() % 40 == 0) ++end.count;
      add(end);
      if (end.count > 0 && random() % 6 == 0) {
        last.kind = Message::kLate;
        last.record.key.step = 100;
        add(last);
      }
    }
  }
  add({Message::kBye, {}, {}, 0});
  return plan;
}

}  // namespace gradeline

#endif  // GRADELINE_TESTS_PROPERTY_LEDGER_MODEL_H_
