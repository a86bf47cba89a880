// For this room's tests: the built-in losses in a registry, and heads of an experiment that use them.
#ifndef GRADELINE_SERVER_WIRE_TEST_HEADS_H_
#define GRADELINE_SERVER_WIRE_TEST_HEADS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "plugins/losses/builtin.h"
#include "server/core/experiment/rank_session.h"
#include "server/core/loss/registry.h"

namespace gradeline {

inline std::shared_ptr<const LossRegistry> BuiltinRegistry() {
  LossRegistry::Builder builder;
  for (const GdlPlugin* const* plugin = BuiltinLossPlugins(); *plugin != nullptr; ++plugin) {
    auto losses = CheckPluginTables(**plugin, {});
    EXPECT_TRUE(losses.ok()) << losses.status();
    EXPECT_TRUE(builder.Add(*std::move(losses)).ok());
  }
  auto catalog = Catalog::Make({}, {}, "digest");
  EXPECT_TRUE(catalog.ok()) << catalog.status();
  return std::move(builder).Build(std::make_shared<const Catalog>(*std::move(catalog)));
}

/// Two heads: "class" with cross_entropy, "value" with mse.
inline std::vector<SessionHead> TwoHeads(const LossRegistry& registry) {
  std::vector<SessionHead> heads(2);
  heads[0].resolved.head = "class";
  heads[0].resolved.loss = "cross_entropy";
  heads[0].resolved.components = {"cross_entropy"};
  heads[1].resolved.head = "value";
  heads[1].resolved.loss = "mse";
  heads[1].resolved.components = {"mse"};
  for (SessionHead& head : heads) {
    auto loss = registry.ResolveAlone(head.resolved.loss, {});
    EXPECT_TRUE(loss.ok()) << loss.status();
    head.loss = *std::move(loss);
  }
  return heads;
}

}  // namespace gradeline

#endif  // GRADELINE_SERVER_WIRE_TEST_HEADS_H_
