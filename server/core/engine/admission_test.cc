#include "server/core/engine/admission.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradeline {
namespace {

using ::testing::ElementsAre;

class AdmissionTest : public ::testing::Test {
 protected:
  void Message(int64_t bytes, int name) {
    admission_.AdmitMessage(bytes, [this, name] { granted_.push_back(name); });
  }
  void Scratch(int64_t bytes, int name) {
    admission_.AdmitScratch(bytes, [this, name] { granted_.push_back(name); });
  }
  Admission admission_{100};
  std::vector<int> granted_;
};

TEST_F(AdmissionTest, WhatAskedFirstGetsFirst) {
  Message(60, 1);
  Message(60, 2);
  Message(10, 3);  // would fit, but 2 was there before
  EXPECT_THAT(granted_, ElementsAre(1));
  EXPECT_EQ(admission_.admitted_bytes(), 60);
  admission_.ReleaseMessage(60);
  EXPECT_THAT(granted_, ElementsAre(1, 2, 3));
  EXPECT_EQ(admission_.admitted_bytes(), 70);
}

TEST_F(AdmissionTest, NoMoreThanOneBudgetWaits) {
  const auto attempt = [this](int64_t bytes, int name) {
    return admission_.TryAdmitMessage(bytes, [this, name] { granted_.push_back(name); });
  };
  EXPECT_TRUE(attempt(100, 1));
  EXPECT_TRUE(attempt(500, 2)) << "alone it may wait, whatever its size";
  EXPECT_FALSE(attempt(1, 3));
  Message(10, 4);  // of a stream, whose sender is held back
  admission_.ReleaseMessage(100);
  EXPECT_TRUE(attempt(60, 5));
  EXPECT_FALSE(attempt(60, 6));
  EXPECT_TRUE(attempt(40, 7));
  admission_.ReleaseMessage(500);
  EXPECT_THAT(granted_, ElementsAre(1, 2, 4, 5));
  admission_.ReleaseMessage(10);
  admission_.ReleaseMessage(60);
  EXPECT_THAT(granted_, ElementsAre(1, 2, 4, 5, 7));
  admission_.ReleaseMessage(40);
  EXPECT_EQ(admission_.admitted_bytes(), 0);
}

TEST_F(AdmissionTest, MoreThanTheBudgetIsGrantedAlone) {
  Message(10, 1);
  Message(500, 2);
  Message(10, 3);
  EXPECT_THAT(granted_, ElementsAre(1));
  admission_.ReleaseMessage(10);
  EXPECT_THAT(granted_, ElementsAre(1, 2));
  admission_.ReleaseMessage(500);
  EXPECT_THAT(granted_, ElementsAre(1, 2, 3));
}

TEST_F(AdmissionTest, SmallMessagesAreCountedAndDoNotWait) {
  Admission admission(100, 5);
  std::vector<int> granted;
  admission.AdmitMessage(90, [&] { granted.push_back(1); });
  admission.AdmitMessage(50, [&] { granted.push_back(2); });
  for (int i = 0; i < 3; ++i) admission.AdmitMessage(5, [&] { granted.push_back(3); });
  EXPECT_THAT(granted, ElementsAre(1, 3, 3, 3));
  EXPECT_EQ(admission.admitted_bytes(), 105);
  admission.ReleaseMessage(90);
  EXPECT_THAT(granted, ElementsAre(1, 3, 3, 3, 2));
  admission.AdmitMessage(500, [&] { granted.push_back(4); });
  admission.ReleaseMessage(50);
  EXPECT_EQ(granted.back(), 4) << "alone, but for small ones";
  EXPECT_TRUE(admission.TryAdmitMessage(5, [&] { granted.push_back(5); }));
  EXPECT_EQ(granted.back(), 5);
  admission.ReleaseMessage(500);
  for (int i = 0; i < 4; ++i) admission.ReleaseMessage(5);
  EXPECT_EQ(admission.admitted_bytes(), 0);
}

TEST_F(AdmissionTest, ScratchGoesBeforeMessages) {
  Message(90, 1);
  Message(50, 2);
  Scratch(30, 3);  // the first of it at once: its message is in already
  Scratch(30, 4);
  EXPECT_THAT(granted_, ElementsAre(1, 3));
  EXPECT_EQ(admission_.admitted_bytes(), 120);
  admission_.ReleaseScratch(30);
  EXPECT_THAT(granted_, ElementsAre(1, 3, 4));
  admission_.ReleaseScratch(30);
  EXPECT_THAT(granted_, ElementsAre(1, 3, 4));
  admission_.ReleaseMessage(90);
  EXPECT_THAT(granted_, ElementsAre(1, 3, 4, 2));
}

// Every admitted message needs scratch, and nothing but a finished call gives bytes back.
TEST_F(AdmissionTest, CallsThatNeedScratchNeverWaitForEachOther) {
  for (int call = 0; call < 5; ++call) {
    admission_.AdmitMessage(50, [this, call] {
      admission_.AdmitScratch(80, [this, call] {
        granted_.push_back(call);
        admission_.ReleaseScratch(80);
        admission_.ReleaseMessage(50);
      });
    });
  }
  EXPECT_THAT(granted_, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(admission_.admitted_bytes(), 0);
}

TEST_F(AdmissionTest, ScratchIsTriedOnlyWhereNoneWaits) {
  EXPECT_TRUE(admission_.TryAddScratch(500)) << "alone, whatever its size";
  EXPECT_FALSE(admission_.TryAddScratch(1));
  Scratch(60, 1);
  EXPECT_EQ(admission_.admitted_bytes(), 500);
  admission_.ReleaseScratch(500);
  EXPECT_THAT(granted_, ElementsAre(1));
  EXPECT_TRUE(admission_.TryAddScratch(40));
  Scratch(60, 2);
  EXPECT_FALSE(admission_.TryAddScratch(0)) << "2 was there before";
  admission_.ReleaseScratch(40);
  admission_.ReleaseScratch(60);
  EXPECT_THAT(granted_, ElementsAre(1, 2));
  EXPECT_EQ(admission_.admitted_bytes(), 60);
}

TEST_F(AdmissionTest, ManyThreads) {
  std::atomic<int64_t> in_use = 0, most = 0;
  std::atomic<int> grants = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const int64_t bytes = 1 + (i * 7 + t) % 60;
        admission_.AdmitMessage(bytes, [&, bytes] {
          const int64_t now = in_use += bytes;
          int64_t before = most;
          while (before < now && !most.compare_exchange_weak(before, now)) {
          }
          in_use -= bytes;
          ++grants;
          admission_.ReleaseMessage(bytes);
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(grants, 2000);
  EXPECT_LE(most, 100);
  EXPECT_EQ(admission_.admitted_bytes(), 0);
}

}  // namespace
}  // namespace gradeline
