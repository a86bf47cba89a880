#include "server/store/store_contract.h"

#include "server/store/sqlite/sqlite_store.h"
#include "server/store/sqlite/test_folder.h"

namespace gradeline {
namespace {

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract,
                         testing::Values(StoreKind{"sqlite",
                                                   [folder = std::make_shared<TestFolder>()](const std::string& test) {
                                                     std::string name = test + ".db";
                                                     for (char& c : name) c = c == '/' ? '_' : c;
                                                     SqliteOptions options;
                                                     options.path = folder->File(name);
                                                     auto store = OpenSqliteStore(options);
                                                     EXPECT_TRUE(store.ok()) << store.status();
                                                     return *std::move(store);
                                                   }}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace gradeline
